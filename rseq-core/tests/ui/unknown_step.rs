// error: not a step of a critical section, or with other operands than it takes: `multiply`
use rseq_core::{Aborted, Committed, critical_section};

critical_section! {
    pub unsafe fn section(cpu: usize, v: *mut usize, n: usize) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(r) abort(Aborted);
        check_index cpu => Aborted;
        multiply r, n;
        commit store [v], r;
    }
}

fn main() {}
