// error: the size for values of type `[usize]` cannot be known
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(
        cpu: usize, v: *mut [usize], expect: usize, newv: usize //~
    ) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) abort(Aborted);
        check_index(cpu) else Aborted;
        cbne([v], expect) else CompareFailed;
        commit store([v], newv);
    }
}

fn main() {}
