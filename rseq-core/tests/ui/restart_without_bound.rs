// error: this section may not commit here: it restarts without a bound
use rseq_core::*;

critical_section! {
    /// A section.
    pub unsafe fn section(base: *mut usize, len: usize, count: usize) -> Result<Committed, core::convert::Infallible> {
        exits() scratch(i) abort(restart) stride(S);
        load_index(i);
        scale(i, S);
        commit add([base + i], count); //~
    }
}

fn main() {}
