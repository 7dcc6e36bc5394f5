// error: no variant or associated item named `Aborted` found for enum `DeclaredExits`
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, expect: usize, newv: usize) -> Result<Committed, librseq::Error> {
        exits(CompareFailed) abort(Aborted); //~
        check_index(cpu) else CompareFailed;
        cbne([v], expect) else CompareFailed;
        commit store([v], newv);
    }
}

fn main() {}
