// error: used binding `i` isn't initialized
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, d: *mut u8, n: usize) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(i) abort(Aborted);
        check_index(cpu) else Aborted;
        load(i, [v]);
        repeatable copy([d], [i], n, i); //~
        commit store([v], i);
    }
}

fn main() {}
