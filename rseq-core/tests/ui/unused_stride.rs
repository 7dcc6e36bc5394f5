// error: variant `S` is never constructed
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(base: *mut usize, len: usize, count: usize) -> Result<Committed, OutOfRange> {
        exits(OutOfRange) scratch(i) abort(restart) stride(S); //~
        load_index(i);
        bound(i, len) else OutOfRange;
        commit add([base + i], count);
    }
}

fn main() {}
