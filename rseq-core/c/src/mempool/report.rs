//! How a robust pool reports an error.

use super::pool::Pool;
use crate::abort;
use crate::text::Text;
use core::ffi::c_int;
use core::fmt::Write;
use core::ptr;
use rseq_core::percpu::Finding;

/// The standard error stream.
const STDERR: c_int = 2;

unsafe extern "C" {
    /// write(2)
    fn write(file: c_int, bytes: *const u8, len: usize) -> isize;
}

/// Writes the error to standard error, and calls abort(3).
pub(super) fn error(owner: usize, finding: Finding) {
    // SAFETY: `owner` is the address of a pool, which `create` passed to the region that is a field of the pool, so the
    // pool exists while its region does. Only the name is borrowed, which is not written after `create`.
    let name = unsafe { &(*ptr::with_exposed_provenance::<Pool>(owner)).name };
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut bytes = [0; 256];
    let mut text = Text::new(&mut bytes);
    let _ = text.write_str("rseq_mempool \"");
    text.push(if name.is_empty() { b"<anonymous>" } else { name });
    let _ = writeln!(text, "\": {finding}");
    let line = text.as_bytes();
    // SAFETY: write(2) reads `line.len()` bytes at `line.as_ptr()`, which are those of a slice.
    let _ = unsafe { write(STDERR, line.as_ptr(), line.len()) };
    abort()
}
