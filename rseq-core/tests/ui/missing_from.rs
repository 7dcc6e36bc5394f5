// error: `rseq_core::ops::librseq::Error: From<rseq_core::OutOfRange>` is not satisfied
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, expect: usize, newv: usize) -> Result<Committed, librseq::Error> {
        exits(Aborted, OutOfRange) abort(Aborted); //~
        check_index(cpu) else Aborted;
        cbne([v], expect) else OutOfRange;
        commit store([v], newv);
    }
}

fn main() {}
