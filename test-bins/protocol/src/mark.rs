//! Lines of a guest for the runner, between results and the kernel's messages.

use core::fmt;

/// How a line of `init` for the runner starts.
const MARK: &str = "# guest: ";
/// How the last line of a test that is the first process itself starts.
const OWN_END: &str = "# exit code ";

/// What `init` says to the runner; a note is anything that can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark<N> {
    /// Something to know about this guest.
    Note(N),
    /// The kernel's release, as `uname -r` has it.
    Release(N),
    /// A user's program ended with this code.
    Code(i32),
    /// All is done: the guest may be ended.
    Done,
}

impl<N: fmt::Display> fmt::Display for Mark<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(note) => write!(f, "{MARK}note {note}"),
            Self::Release(release) => write!(f, "{MARK}release {release}"),
            Self::Code(code) => write!(f, "{MARK}code {code}"),
            Self::Done => write!(f, "{MARK}done"),
        }
    }
}

/// Whether the line is for the runner alone, whatever it says.
pub fn is_mark(line: &str) -> bool {
    line.starts_with(MARK)
}

impl<'a> Mark<&'a str> {
    /// Reads a line; `None` where it is no mark, or one that was cut.
    pub fn read(line: &'a str) -> Option<Self> {
        let words = line.strip_prefix(MARK)?;
        match words.split_once(' ').unwrap_or((words, "")) {
            ("done", "") => Some(Self::Done),
            ("code", code) => code.trim().parse().ok().map(Self::Code),
            ("note", note) => Some(Self::Note(note)),
            ("release", release) => Some(Self::Release(release)),
            _ => None,
        }
    }
}

/// The last line of a test that is the first process itself, with its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnEnd(pub u8);

impl fmt::Display for OwnEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OWN_END}{}", self.0)
    }
}

impl OwnEnd {
    /// Reads a line.
    pub fn read(line: &str) -> Option<Self> {
        line.strip_prefix(OWN_END)?.trim().parse().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let marks = [
            Mark::Note("no debugfs at /sys: 2"),
            Mark::Release("7.3-rc1"),
            Mark::Code(139),
            Mark::Code(-1),
            Mark::Done,
        ];
        for mark in marks {
            let line = mark.to_string();
            assert!(is_mark(&line));
            assert_eq!(Mark::read(&line), Some(mark));
        }
        assert_eq!(OwnEnd::read(&OwnEnd(4).to_string()), Some(OwnEnd(4)));
    }

    #[test]
    fn lines_that_were_cut_say_nothing() {
        for line in ["# guest: ", "# guest: don", "# guest: code", "# guest: code x", "# guest: donut", "# guest: a b"]
        {
            assert!(is_mark(line));
            assert_eq!(Mark::read(line), None, "{line}");
        }
        assert_eq!(Mark::read("# done"), None);
        assert_eq!(OwnEnd::read("# exit code 1x"), None);
        assert_eq!(OwnEnd::read("# exit code 256"), None);
    }
}
