// error: a step may not write this
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(base: *mut usize, len: usize, count: usize) -> Result<Committed, OutOfRange> {
        exits(OutOfRange) abort(restart);
        load_index(len); //~
        bound(len, count) else OutOfRange;
        commit add([base], count);
    }
}

fn main() {}
