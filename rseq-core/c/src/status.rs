//! `rseq_status`: the calling thread's registration, as text.

use crate::text::Text;
use core::ffi::c_char;
use core::fmt::Write;
use core::slice;
use rseq_core::{Cause, Status};

/// `bool rseq_status(char *text, size_t size)` - returns whether the calling thread is registered for rseq. Writes who
/// registered it, or why it is not registered and what would have to change, to `text`, truncated to `size` bytes
/// including the terminating 0. `text` may be `NULL`, and is not used if `size` is 0.
///
/// # Safety
///
/// `text` is `NULL`, or points to `size` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_status(text: *mut c_char, size: usize) -> bool {
    let status = rseq_core::status();
    let bytes = match (text.is_null(), size) {
        (true, _) | (_, 0) => &mut [],
        // SAFETY: `text` is not null, a `u8` has no alignment, and the caller guarantees that `size` bytes may be
        // written and that nothing else uses them during the call. They come from foreign code, so they count as
        // initialised. An object of C has at most `isize::MAX` bytes.
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
    text.terminate();
    matches!(status, Status::On(_))
}
