//! Whether sections are on in this thread, in words.

use crate::text::Text;
use core::ffi::c_char;
use core::fmt::Write;
use core::slice;
use rseq_core::{Cause, Status};

/// `bool rseq_status(char *text, size_t size)` - whether the calling thread is registered for rseq, and in words why,
/// or what would have to change. The text is cut to `size` bytes with its final 0; it may be `NULL` if `size` is 0.
///
/// # Safety
///
/// `text` is `size` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_status(text: *mut c_char, size: usize) -> bool {
    let status = rseq_core::status();
    let bytes = match (text.is_null(), size) {
        (true, _) | (_, 0) => &mut [],
        // SAFETY: the caller's contract; bytes of C are initialised for whoever only writes them.
        _ => unsafe { slice::from_raw_parts_mut(text.cast::<u8>(), size) },
    };
    let mut text = Text::new(bytes);
    let _ = match status {
        // The remedy of a C program; the core's is for Rust.
        Status::Off(Cause::NothingRegisters(_)) => {
            text.write_str("off: this thread is not registered: call rseq_register_current_thread() in it")
        }
        status => write!(text, "{status}"),
    };
    text.end();
    matches!(status, Status::On(_))
}
