//! Texts in memory that there is no more of.

use core::fmt;

/// A text cut to what there is room for, a byte for the final 0 left.
pub(crate) struct Text<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl<'a> Text<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    pub(crate) fn push(&mut self, text: &[u8]) {
        let room = self.bytes.len().saturating_sub(1);
        for (place, byte) in self.bytes.iter_mut().take(room).skip(self.len).zip(text) {
            *place = *byte;
            self.len += 1;
        }
    }

    /// What was written.
    pub(crate) fn said(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Puts the final 0.
    pub(crate) fn end(&mut self) {
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
