// error: a narrow store is a plain one
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(cpu: usize, v: *mut usize, x: usize) -> Result<Committed, Aborted> {
        exits(Aborted) abort(Aborted) order(O);
        check_index(cpu) else Aborted;
        commit store_u32([v], x); //~
    }
}

fn main() {}
