// error: a critical section has one commit
use rseq_core::{Aborted, Committed, critical_section};

critical_section! {
    pub unsafe fn section(cpu: usize, v: *mut usize, n: usize) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(r) abort(Aborted);
        check_index cpu => Aborted;
        commit store [v], n;
        commit store [v], r;
    }
}

fn main() {}
