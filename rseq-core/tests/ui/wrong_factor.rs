// error: an index in an address is multiplied by 1, 2, 4 or 8
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, expect: usize, newv: usize) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) abort(Aborted);
        check_index(cpu) else Aborted;
        cbne([v + expect * 3], expect) else CompareFailed; //~
        commit store([v], newv);
    }
}

fn main() {}
