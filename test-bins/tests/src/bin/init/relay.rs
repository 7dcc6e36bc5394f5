//! A program's output on its way to the console: whole lines, marked as that program's.

use harness::text::Text;
use protocol::ktap::{self, Line};
use protocol::list::Kind;
use rseq_rt::io::{STDOUT, write_all};

/// Longer lines are cut into several.
const LINE: usize = 1024;

/// Collects bytes and writes lines.
pub struct Relay {
    line: [u8; LINE],
    start: usize,
    used: usize,
    /// Why the program skipped everything.
    pub skipped: Option<Text<240>>,
}

impl Relay {
    /// Lines get a prefix by their program's kind: nested KTAP, a comment, or a user's text.
    pub fn new(kind: Kind) -> Self {
        let prefix = kind.prefix().as_bytes();
        let mut line = [0; LINE];
        line.iter_mut().zip(prefix).for_each(|(to, from)| *to = *from);
        Self { line, start: prefix.len(), used: prefix.len(), skipped: None }
    }

    /// Takes output in pieces of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                _ => self.push(byte),
            }
        }
    }

    /// Writes what is left without a newline.
    pub fn finish(&mut self) {
        if self.used > self.start {
            self.end_line();
        }
    }

    fn push(&mut self, byte: u8) {
        if self.used + 1 >= LINE {
            self.end_line();
        }
        if let Some(place) = self.line.get_mut(self.used) {
            *place = byte;
            self.used += 1;
        }
    }

    fn end_line(&mut self) {
        self.notice_skip();
        if let Some(place) = self.line.get_mut(self.used) {
            *place = b'\n';
        }
        // Where the console takes no more output, there is no way to report it.
        let _ = write_all(STDOUT, self.line.get(..=self.used).unwrap_or(&[]));
        self.used = self.start;
    }

    fn notice_skip(&mut self) {
        let line = self.line.get(self.start..self.used).and_then(|line| core::str::from_utf8(line).ok());
        if let Some((0, Line::Plan { skip: Some(reason), .. })) = line.map(ktap::read) {
            self.skipped = Some(Text::of(format_args!("{reason}")));
        }
    }
}
