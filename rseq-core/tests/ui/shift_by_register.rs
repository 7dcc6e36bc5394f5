// error: expected `u8`, found `Parameter`
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, expect: usize, newv: usize) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) scratch(r) abort(Aborted);
        check_index(cpu) else Aborted;
        cbne([v], expect) else CompareFailed;
        mov(r, newv);
        shl(r, expect); //~
        commit store([v], r);
    }
}

fn main() {}
