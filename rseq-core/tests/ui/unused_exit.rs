// error: variant `CompareFailed` is never constructed
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, newv: usize) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) abort(Aborted); //~
        check_index(cpu) else Aborted;
        commit store([v], newv);
    }
}

fn main() {}
