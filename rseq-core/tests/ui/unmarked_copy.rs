// error: a store before the commit happens again after an abort
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(
        cpu: usize, v: *mut usize, expect: usize, newv: usize, to: *mut u8, from: *const u8, n: usize
    ) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) scratch(r) abort(Aborted);
        check_index(cpu) else Aborted;
        cbne([v], expect) else CompareFailed;
        copy([to], [from], n, r); //~
        commit store([v], newv);
    }
}

fn main() {}
