//! Colours, where they are wanted.

use std::io::{IsTerminal, Stderr, Stdout};
use std::os::fd::{AsRawFd, RawFd};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use nix::libc;

use crate::verdict::Status;

/// How a stream takes text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paint {
    /// Whether it takes colours: not in a pipe, and not with `NO_COLOR`, `TERM=dumb` or `--color never`.
    color: bool,
    /// Whether its last line can be drawn again.
    pub redraws: bool,
    /// The stream, where it is known.
    stream: Option<RawFd>,
}

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

impl Paint {
    /// Plain lines.
    pub const PLAIN: Self = Self { color: false, redraws: false, stream: None };

    /// A terminal.
    #[cfg(test)]
    pub const COLORED: Self = Self { color: true, redraws: true, stream: None };

    /// By what stdout is.
    pub fn of_stdout(stdout: &Stdout) -> Self {
        Self::new(AutoStream::choice(stdout), stdout.is_terminal()).on(stdout.as_raw_fd())
    }

    /// By what stderr is.
    pub fn of_stderr(stderr: &Stderr) -> Self {
        Self::new(AutoStream::choice(stderr), stderr.is_terminal()).on(stderr.as_raw_fd())
    }

    /// `choice` is anstream's, which takes a dumb terminal for one with colours where `CI` is set.
    fn new(choice: ColorChoice, is_terminal: bool) -> Self {
        let is_dumb = is_terminal && std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_forced = ColorChoice::global() == ColorChoice::Always;
        let color = choice != ColorChoice::Never && (is_forced || !is_dumb);
        Self { color, redraws: is_terminal && !is_dumb, stream: None }
    }

    /// The same on a stream that stays open.
    fn on(self, stream: RawFd) -> Self {
        Self { stream: Some(stream), ..self }
    }

    /// The columns that its terminal has now.
    pub fn columns(self) -> usize {
        self.stream.and_then(columns).unwrap_or(COLUMNS)
    }

    /// In the colour of a status, and bold.
    pub fn status(self, status: Status, text: &str) -> String {
        let color = match status {
            Status::Passed => AnsiColor::Green,
            Status::Flaky | Status::Skipped | Status::ExpectedFailure => AnsiColor::Yellow,
            Status::TimedOut | Status::Failed => AnsiColor::Red,
        };
        self.styled(color.on_default().bold(), text)
    }

    /// For what matters most.
    pub fn bold(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// The columns of a terminal; some, such as serial lines, do not know.
fn columns(terminal: RawFd) -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes one `winsize` at the address, which is that of one; it checks the descriptor.
    let told = unsafe { libc::ioctl(terminal, libc::TIOCGWINSZ, &raw mut size) } == 0;
    (told && size.ws_col > 0).then_some(size.ws_col.into())
}

#[cfg(test)]
pub mod tests {
    use std::os::fd::{FromRawFd, OwnedFd};

    use super::*;

    /// A terminal of this width, and how it takes text; `None` where there are none.
    pub fn terminal(columns: u16) -> Option<(OwnedFd, Paint)> {
        // SAFETY: takes numbers and returns a new descriptor, or a negative number.
        let terminal = unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) };
        if terminal < 0 {
            return None;
        }
        // SAFETY: it was opened just now, and has no other owner.
        let terminal = unsafe { OwnedFd::from_raw_fd(terminal) };
        let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the kernel reads one `winsize` at the address, which is that of one.
        let told = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) } == 0;
        let paint = Paint::COLORED.on(terminal.as_raw_fd());
        told.then_some((terminal, paint))
    }

    #[test]
    fn a_terminal_says_how_wide_it_is() {
        let Some((terminal, paint)) = terminal(40) else { return crate::skipped("no pseudo-terminals here") };
        assert_eq!(paint.columns(), 40);
        drop(terminal);
        let (_unknown, paint) = self::terminal(0).unwrap();
        assert_eq!((paint.columns(), Paint::PLAIN.columns()), (80, 80));
    }

    #[test]
    fn only_what_takes_colours_gets_them() {
        let color = Paint::new(ColorChoice::Always, false);
        assert_eq!(color.status(Status::Failed, "x"), "\x1b[1m\x1b[31mx\x1b[0m");
        assert_eq!(color.bold(""), "");
        assert_eq!(Paint::new(ColorChoice::Never, true).status(Status::Failed, "x"), "x");
        assert!(!color.redraws && Paint::PLAIN == Paint::default());
    }
}
