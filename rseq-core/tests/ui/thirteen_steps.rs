// error: a critical section has twelve steps at most
use rseq_core::{Aborted, Committed, critical_section};

critical_section! {
    pub unsafe fn section(cpu: usize, v: *mut usize, n: usize) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(r) abort(Aborted);
        check_index cpu => Aborted;
        load r, [v];
        add r, n;
        add r, n;
        add r, n;
        add r, n;
        add r, n;
        add r, n;
        add r, n;
        add r, n;
        add r, n;
        add r, n;
        commit store [v], r;
    }
}

fn main() {}
