//! A short text in place, for a program without an allocator.

use core::fmt;

/// Whether `whole` contains `part`: as `str::contains`, whose search for long parts is three times as large as a suite.
pub fn contains(whole: &[u8], part: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

/// Up to `N` bytes of UTF-8; what does not fit is cut off and marked by a final `~`.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
    cut: bool,
}

impl<const N: usize> Text<N> {
    /// An empty text.
    pub const fn new() -> Self {
        Self { bytes: [0; N], length: 0, cut: false }
    }

    /// The formatted `arguments`.
    pub fn of(arguments: fmt::Arguments<'_>) -> Self {
        let mut text = Self::new();
        text.push(arguments);
        text
    }

    /// Appends the formatted `arguments`.
    pub fn push(&mut self, arguments: fmt::Arguments<'_>) {
        let mut writer = Writer { bytes: &mut self.bytes, length: &mut self.length, cut: &mut self.cut };
        // `write_str` below never fails; a Display that fails leaves what it wrote so far.
        let _ = fmt::write(&mut writer, arguments);
    }

    /// The text so far.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("?")
    }

    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// Whether something had to be cut off.
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Appends to a text of any capacity: there is one copy of it.
struct Writer<'a> {
    bytes: &'a mut [u8],
    length: &'a mut usize,
    cut: &'a mut bool,
}

impl Writer<'_> {
    fn append(&mut self, part: &[u8]) {
        if let Some(room) = self.bytes.get_mut(*self.length..*self.length + part.len()) {
            room.copy_from_slice(part);
            *self.length += part.len();
        }
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if *self.cut {
            return Ok(());
        }
        let room = (self.bytes.len() - *self.length).saturating_sub(1);
        if part.len() <= room {
            self.append(part.as_bytes());
            return Ok(());
        }
        let mut end = room;
        while !part.is_char_boundary(end) {
            end -= 1;
        }
        self.append(part.as_bytes().get(..end).unwrap_or(&[]));
        self.append(b"~");
        *self.cut = true;
        Ok(())
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_between_characters_and_marked() {
        let mut text = Text::<8>::of(format_args!("{}{}", "abc", 4));
        assert_eq!((text.as_str(), text.is_cut()), ("abc4", false));
        text.push(format_args!("5é6"));
        assert_eq!((text.as_str(), text.is_cut()), ("abc45é~", true));
        assert_eq!(Text::<7>::of(format_args!("abc45é6")).as_str(), "abc45~");
        text.push(format_args!("more"));
        assert_eq!(text.as_str(), "abc45é~");
    }

    #[test]
    fn a_part_is_found_anywhere() {
        for part in ["", "a", "ab", "bc", "abc"] {
            assert!(contains(b"abc", part.as_bytes()), "{part}");
        }
        for part in ["ac", "abcd", "d"] {
            assert!(!contains(b"abc", part.as_bytes()), "{part}");
        }
    }

    #[test]
    fn one_byte_is_kept_for_the_mark() {
        assert_eq!(Text::<4>::of(format_args!("abc")).as_str(), "abc");
        assert_eq!(Text::<4>::of(format_args!("abcd")).as_str(), "abc~");
        assert_eq!(Text::<1>::of(format_args!("é")).as_str(), "~");
    }
}
