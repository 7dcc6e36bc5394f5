// error: say `repeatable copy` if it may
use rseq_core::{Aborted, Committed, critical_section};

critical_section! {
    pub unsafe fn section(cpu: usize, v: *mut usize, from: *const u8, n: usize) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(r) abort(Aborted);
        check_index cpu => Aborted;
        copy [v], [from], n using r;
        commit store [v], n;
    }
}

fn main() {}
