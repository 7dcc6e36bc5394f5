// error: for enum `DeclaredStrides`
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(base: *mut usize, len: usize, count: usize) -> Result<Committed, OutOfRange> {
        exits(OutOfRange) scratch(i) abort(restart);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, S); //~
        commit add([base + i], count);
    }
}

fn main() {}
