//! What a robust pool does about an error.

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

/// Says what is wrong, and ends the process by abort(3).
pub(super) fn error(owner: usize, finding: Finding) {
    // SAFETY: the address of a pool, which is there as long as its region; its name is not changed, and no part of
    // the region.
    let name = unsafe { &(*ptr::with_exposed_provenance::<Pool>(owner)).name };
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut bytes = [0; 256];
    let mut text = Text::new(&mut bytes);
    let _ = text.write_str("rseq_mempool \"");
    text.push(if name.is_empty() { b"<anonymous>" } else { name });
    let _ = writeln!(text, "\": {finding}");
    let said = text.said();
    // SAFETY: so many bytes.
    let _ = unsafe { write(STDERR, said.as_ptr(), said.len()) };
    abort()
}
