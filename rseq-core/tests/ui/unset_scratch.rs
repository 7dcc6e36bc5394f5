// error: used binding `sum` isn't initialized
use rseq_core::ops::librseq;
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, expect: usize, newv: usize) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) scratch(sum) abort(Aborted);
        check_index(cpu) else Aborted;
        cbne([v], expect) else CompareFailed;
        add(sum, newv); //~
        commit store([v], sum);
    }
}

fn main() {}
