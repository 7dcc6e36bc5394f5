//! A thread's name.

use core::fmt;
use core::ops::Deref;

/// Bytes of a name with its NUL (`TASK_COMM_LEN`).
const LEN: usize = 16;

/// A name of at most 15 bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Name(pub(super) [u8; LEN]);

impl Name {
    /// No name.
    pub(super) const EMPTY: Self = Self([0; LEN]);

    /// The text, cut at a NUL, or before the character that would exceed 15 bytes.
    pub(super) const fn new(text: &str) -> Self {
        let (mut name, mut len) = ([0; LEN], 0);
        let bytes = text.as_bytes();
        while len < bytes.len() && len < LEN - 1 && bytes[len] != 0 {
            name[len] = bytes[len];
            len += 1;
        }
        // A byte of the form 10xxxxxx continues a character, which must be cut as a whole.
        while len > 0 && len < bytes.len() && bytes[len] & 0xc0 == 0x80 {
            len -= 1;
            name[len] = 0;
        }
        Self(name)
    }

    pub(super) fn is_given(&self) -> bool {
        self.0[0] != 0
    }
}

/// The name as text. If it is not UTF-8, because other code set it, the text up to the first wrong byte.
impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
            .split(|byte| *byte == 0)
            .next()
            .and_then(|name| name.utf8_chunks().next())
            .map_or("", |chunk| chunk.valid())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
