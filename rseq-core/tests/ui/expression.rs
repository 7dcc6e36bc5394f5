// error: not a value: this operand is a parameter, a scratch register or a literal from 0 to 255
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, expect: usize, newv: usize) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) abort(Aborted);
        check_index(cpu) else Aborted;
        cbne([v], expect) else CompareFailed;
        commit store([v], newv + 1); //~
    }
}

fn main() {}
