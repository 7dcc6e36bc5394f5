// error: this section may not commit here: it restarts without a bound
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(base: *mut usize, len: usize) -> Result<Committed, OutOfRange> {
        exits(OutOfRange) scratch(i, z) abort(restart) stride(S);
        load_index(i);
        mov(z, 0);
        bound(z, len) else OutOfRange;
        scale(i, S);
        commit add([base + i], 1); //~
    }
}

fn main() {}
