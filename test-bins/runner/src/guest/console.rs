//! A guest's serial console: our lines between the firmware's and the kernel's.
//!
//! `init` marks what is for the runner ([`Mark`]); everything else is KTAP or noise, and the kernel's own lines
//! (`[    1.234567] ...`) are kept from the parser.

use protocol::list::Kind;
use protocol::mark::{self, Mark, OwnEnd};

use crate::ktap::{Document, Line, Parser, Splitter, read_line};
use crate::text::printable;

/// What the lines so far mean.
#[derive(Debug, Default)]
pub struct Console {
    splitter: Splitter,
    parser: Parser,
    /// Whether our first line has come.
    pub started: bool,
    /// Whether the guest says that all is done.
    pub done: bool,
    /// The exit code of the user's program, or of the test that is the first process.
    pub code: Option<i32>,
    /// Whether the kernel panicked, with its own words.
    pub panic: Option<String>,
    /// A panic's words in the last line that is not the kernel's: a quotation, or a panic that broke into a line, after
    /// which nothing else comes.
    quoted: Option<String>,
    /// Whether it trapped at a breakpoint of its own that its memory no longer has.
    pub ran_old_code: bool,
    /// Whether its next line of code is that of such a trap.
    trapped: bool,
    /// The last whole line that is not blank.
    last: String,
    /// The kernel's release, by its own words.
    pub release: Option<String>,
    /// What the guest's `init` wants to be known.
    pub notes: Vec<String>,
    /// The lines that a user's program printed.
    pub output: Vec<String>,
}

impl Console {
    /// Reads bytes as they come.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.push(bytes, |line| self.line(line));
        self.splitter = splitter;
    }

    /// The last line that is not blank, whole or not.
    pub fn last_words(&mut self) -> String {
        let rest = self.splitter.rest().filter(|rest| !rest.trim().is_empty());
        rest.unwrap_or_else(|| self.last.clone())
    }

    /// The words of the kernel's panic, if it did, once the guest says no more.
    pub fn panicked(&self) -> Option<&str> {
        self.panic.as_deref().or(self.quoted.as_deref())
    }

    /// Whether a guest that says no more has said how it ended.
    pub fn is_over(&self) -> bool {
        self.done || self.panicked().is_some()
    }

    /// How many results there are so far.
    pub fn results(&self) -> usize {
        self.parser.results()
    }

    /// The results, once the guest is gone.
    pub fn finish(self) -> Document {
        self.parser.finish()
    }

    fn line(&mut self, text: &str) {
        let text = text.trim_end_matches('\r');
        if !text.trim().is_empty() {
            text.clone_into(&mut self.last);
            if !is_kernels(text) {
                self.quoted = panic(text).map(str::to_owned);
            }
        }
        if mark::is_mark(text) {
            self.mark(text);
        } else if is_kernels(text) {
            self.kernels(text);
        } else if !self.started && read_line(text) != (0, Line::Version) {
            // Firmware and boot loaders.
        } else {
            self.ours(text);
        }
    }

    fn ours(&mut self, text: &str) {
        self.started = true;
        if let Some(OwnEnd(code)) = OwnEnd::read(text) {
            self.code = Some(code.into());
            self.done = true;
        } else if let Some(line) = text.strip_prefix(Kind::Program.prefix()) {
            self.output.push(line.to_owned());
        }
        self.parser.line(text);
    }

    fn mark(&mut self, line: &str) {
        self.started = true;
        match Mark::read(line) {
            Some(Mark::Done) => self.done = true,
            Some(Mark::Code(code)) => self.code = Some(code),
            Some(Mark::Note(note)) => self.notes.push(note.to_owned()),
            // It names cells, wherever these are listed.
            Some(Mark::Release(release)) => self.release = Some(printable(release)),
            None => {}
        }
    }

    fn kernels(&mut self, text: &str) {
        // A test's lines are indented, and may quote the kernel.
        match panic(text).map(str::to_owned) {
            words if text.starts_with(' ') => self.quoted = words.or(self.quoted.take()),
            words => self.panic = self.panic.take().or(words),
        }
        if text.contains("int3: 0000 [#1]") {
            self.trapped = true;
        } else if let Some((_, bytes)) = text.split_once("] Code: ").filter(|_| self.trapped) {
            self.trapped = false;
            self.ran_old_code = lacks_breakpoint(bytes);
        }
    }
}

/// Whether an instruction other than `int3` stands before the marked byte, at which a trap continues: then the
/// breakpoint was gone from memory when it was run. The kernel changes its code behind breakpoints, and takes them away
/// only when no CPU can be at one.
fn lacks_breakpoint(code: &str) -> bool {
    code.split_once(" <").is_some_and(|(before, _)| !before.ends_with("cc"))
}

/// Whether the kernel printed it: `[    4.055179] words`.
fn is_kernels(text: &str) -> bool {
    let time = text.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    time.is_some_and(|(time, _)| time.trim().parse::<f64>().is_ok())
}

/// A panic's words in a line.
fn panic(text: &str) -> Option<&str> {
    text.split_once("Kernel panic - not syncing: ").map(|(_, words)| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &[u8] = b"SeaBIOS\r\n\x1bc\x1b[?7l\x1b[2Jok 1 firmware\r\n\r\nKTAP version 1\r\n1..2\r\n\
        # guest: note debugfs is not here\r\n  KTAP version 1\r\n  1..1\r\n[    3.1] ok 9 the kernel's\r\n  ok 1 a\r\n\
        ok 1 x\r\nok 2 y # SKIP none\r\n# guest: done\r\n";

    #[test]
    fn noise_is_kept_from_the_results() {
        for size in [1, 3, 4096] {
            let mut console = Console::default();
            LOG.chunks(size).for_each(|chunk| console.feed(chunk));
            assert!(console.started && console.done && console.panic.is_none());
            assert_eq!(console.notes, ["debugfs is not here"]);
            assert_eq!(console.last_words(), "# guest: done");
            console.feed(b"and th");
            assert_eq!(console.last_words(), "and th");
            let document = console.finish();
            assert_eq!(document.problems, [""; 0]);
            assert_eq!((document.counts().passed, document.counts().skipped), (1, 1));
        }
    }

    #[test]
    fn a_panic_is_seen_even_within_a_line() {
        for start in ["", "ok 1", "  | hel", "  # ", "  "] {
            let mut console = Console::default();
            let line =
                format!("KTAP version 1\n{start}[    2.635595] Kernel panic - not syncing: Attempted to kill init!\n");
            console.feed(line.as_bytes());
            console.feed(b"[    2.64] CPU: 0 PID: 1\n\n");
            assert_eq!(console.panicked(), Some("Attempted to kill init!"), "{start:?}");
            assert!(console.is_over() && !console.done);
            assert_eq!(console.panic.is_some(), start.is_empty(), "only then it is sure");
        }
    }

    #[test]
    fn a_panic_that_is_quoted_is_none_as_soon_as_the_guest_says_more() {
        for prefix in ["  | log: ", "  | ", "  # ", "  ", "# "] {
            for next in ["  | on", "  ok 1 a", "ok 1 program", "# guest: done"] {
                let mut console = Console::default();
                let quoted = format!("{prefix}[ 1.0] Kernel panic - not syncing: quoted");
                console.feed(format!("KTAP version 1\n1..1\n{quoted}\n{next}\n").as_bytes());
                assert_eq!((console.panicked(), &console.panic), (None, &None), "{prefix:?} {next:?}");
                assert_eq!(console.output.len(), usize::from(prefix.contains('|')) + usize::from(next.contains('|')));
            }
        }
    }

    #[test]
    fn a_breakpoint_that_is_gone_is_old_code() {
        let of = |code: &str| {
            let mut console = Console::default();
            console.feed(b"[   82.9] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\n[   82.9] RIP: 0010:wake+0x34/0x280\n");
            console.feed(format!("[   82.9] Code: {code}\n[   82.9] Code: cc <90>\n").as_bytes());
            console.ran_old_code
        };
        assert!(of("74 7a 49 89 fe 66 <90> 0f 1f 44 00 00"));
        assert!(!of("74 7a 49 89 fe cc <90> 0f 1f 44 00 00"), "a real breakpoint");
        assert!(!of("bad"));
        let mut other = Console::default();
        other.feed(b"[    1.0] Oops: 0000 [#1]\n[    1.0] Code: 66 <90>\n");
        assert!(!other.ran_old_code, "another trap");
    }

    #[test]
    fn a_test_that_is_the_first_process_ends_by_its_code() {
        let mut console = Console::default();
        console.feed(
            b"KTAP version 1\n1..1\nok 1 a\n# Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 error:0\n# exit code 0\n",
        );
        assert_eq!((console.code, console.done), (Some(0), true));
        assert_eq!(console.finish().problems, [""; 0]);
    }

    #[test]
    fn a_users_output_and_code_are_kept() {
        let mut console = Console::default();
        console.feed(b"KTAP version 1\n1..1\n  | hello\n  |  two\n# guest: code 3\nnot ok 1 program\n# guest: done\n");
        assert_eq!((console.code, console.output), (Some(3), vec!["hello".into(), " two".into()]));
    }
}
