//! Bytes to lines, with a bound on the length of a line.

/// Longer lines are cut here: no result line of ours comes near it.
const MAX_LINE: usize = 4096;

/// Collects bytes and hands out complete lines as text.
#[derive(Debug, Default)]
pub struct Splitter {
    pending: Vec<u8>,
}

impl Splitter {
    /// Adds `bytes` and calls `each` for every line that they complete.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.keep(&rest[..end]);
            each(&self.take());
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    /// The last line, where the input ended without a newline.
    pub fn rest(&mut self) -> Option<String> {
        (!self.pending.is_empty()).then(|| self.take())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.pending.len());
        self.pending.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.pending).trim_matches('\r').to_owned();
        self.pending.clear();
        line
    }
}
