// error: a step may not write this
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, expect: usize, newv: usize) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) scratch(r) abort(Aborted);
        check_index(cpu) else Aborted;
        cbne([v], expect) else CompareFailed;
        load([v], r); //~
        commit store([v], newv);
    }
}

fn main() {}
