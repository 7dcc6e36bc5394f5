//! Text in a buffer of fixed size.

use core::fmt;

/// A text that is truncated to its buffer, with room for a terminating 0.
pub(crate) struct Text<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl<'a> Text<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    pub(crate) fn push(&mut self, text: &[u8]) {
        let capacity = self.bytes.len().saturating_sub(1);
        for (place, byte) in self.bytes.iter_mut().take(capacity).skip(self.len).zip(text) {
            *place = *byte;
            self.len += 1;
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Appends the terminating 0, unless the buffer is empty.
    pub(crate) fn terminate(&mut self) {
        if let Some(end) = self.bytes.get_mut(self.len) {
            *end = 0;
        }
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
