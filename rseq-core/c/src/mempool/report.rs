//! How a robust pool reports an error.

use crate::abort;
use crate::text::Text;
use core::ffi::c_int;
use core::fmt::Write;
use rseq_core::percpu::Finding;

/// The standard error stream.
const STDERR: c_int = 2;

unsafe extern "C" {
    /// write(2)
    fn write(file: c_int, bytes: *const u8, len: usize) -> isize;
}

/// Writes the error, with the name of the pool, to standard error, and calls abort(3).
pub(super) fn error(pool: &[u8], finding: Finding) -> ! {
    let mut bytes = [0; 256];
    let mut text = Text::new(&mut bytes);
    let _ = text.write_str("rseq_mempool \"");
    text.push(if pool.is_empty() { b"<anonymous>" } else { pool });
    let _ = writeln!(text, "\": {finding}");
    let line = text.as_bytes();
    // SAFETY: write(2) reads `line.len()` bytes at `line.as_ptr()`, which are those of a slice.
    let _ = unsafe { write(STDERR, line.as_ptr(), line.len()) };
    abort()
}
