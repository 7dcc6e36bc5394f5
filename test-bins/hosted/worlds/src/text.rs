//! The status of the calling thread, in words.

use core::ffi::c_char;
use core::fmt::{self, Write};
use core::slice;

/// Writes `status()` to `text`, cut to `size` bytes with its final 0.
///
/// # Safety
///
/// `text` is `size` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn worlds_status(text: *mut c_char, size: usize) {
    let Some(room) = size.checked_sub(1) else { return };
    // SAFETY: the caller's contract; bytes of C are initialised for whoever only writes them.
    let bytes = unsafe { slice::from_raw_parts_mut(text.cast::<u8>(), size) };
    let mut text = Text { bytes: bytes.iter_mut(), room };
    let _ = write!(text, "{}", rseq_core::status());
    if let Some(end) = text.bytes.next() {
        *end = 0;
    }
}

/// What is left of a text's place, and how much of that is for characters.
struct Text<'a> {
    bytes: slice::IterMut<'a, u8>,
    room: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = text.len().min(self.room);
        self.bytes.by_ref().zip(text.bytes()).take(fits).for_each(|(place, byte)| *place = byte);
        self.room -= fits;
        Ok(())
    }
}
