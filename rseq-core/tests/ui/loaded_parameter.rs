// error: a step may not write this
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, expect: usize, newv: usize) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) abort(Aborted);
        check_index(cpu) else Aborted;
        load(newv, [v]); //~
        cbne([v], expect) else CompareFailed;
        commit store([v], newv);
    }
}

fn main() {}
