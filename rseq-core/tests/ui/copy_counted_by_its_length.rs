// error: used binding `i` isn't initialized
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, d: *mut u8, s: *const u8) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(i) abort(Aborted);
        check_index(cpu) else Aborted;
        load(i, [v]);
        repeatable copy([d], [s], i, i); //~
        commit store([v], i);
    }
}

fn main() {}
