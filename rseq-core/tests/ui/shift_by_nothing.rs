// error: a shift is by 1 bit at least, and by fewer than a word has
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(i) abort(Aborted);
        check_index(cpu) else Aborted;
        load(i, [v]);
        shr(i, 0);
        commit store([v], i);
    }
}

fn main() {}
