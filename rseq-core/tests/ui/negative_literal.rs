// error: `u8: Neg` is not satisfied
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, expect: usize) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) abort(Aborted);
        check_index(cpu) else Aborted;
        cbne([v], expect) else CompareFailed;
        commit add([v], -1); //~
    }
}

fn main() {}
