// error: `bound` compares a scratch register
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(base: *mut usize, len: usize, count: usize) -> Result<Committed, OutOfRange> {
        exits(OutOfRange) scratch(i) abort(restart) stride(S);
        load_index(i);
        bound(count, len) else OutOfRange; //~
        scale(i, S);
        commit add([base + i], 1);
    }
}

fn main() {}
