// error: a critical section begins with `check_index` or `load_index`
use rseq_core::{Aborted, Committed, critical_section};

critical_section! {
    pub unsafe fn section(cpu: usize, v: *mut usize, n: usize) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(r) abort(Aborted);
        load r, [v];
        commit store [v], n;
    }
}

fn main() {}
