//! A guest's serial console: our lines between the firmware's and the kernel's.
//!
//! `init` marks what is for the runner ([`Mark`]); everything else is KTAP or noise, and the kernel's own lines
//! (`[    1.234567] ...`) are kept from the parser.

use protocol::list::Kind;
use protocol::mark::{self, Mark, OwnEnd};

use crate::ktap::{Document, Line, Parser, Splitter, read_line};

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
            Some(Mark::Release(release)) => self.release = Some(release.to_owned()),
            None => {}
        }
    }

    fn kernels(&mut self, text: &str) {
        if let Some((_, words)) = text.split_once("Kernel panic - not syncing: ") {
            self.panic.get_or_insert_with(|| words.to_owned());
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
    time.is_some_and(|(time, _)| time.trim().parse::<f64>().is_ok()) || text.contains("] Kernel panic - not syncing")
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
        let mut console = Console::default();
        console.feed(b"KTAP version 1\nok 1[    2.635595] Kernel panic - not syncing: Attempted to kill init!\n");
        assert_eq!(console.panic.as_deref(), Some("Attempted to kill init!"));
        assert!(!console.done);
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
