//! Colours, where they are wanted.

use std::io::{IsTerminal, Stderr, Stdout};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use crate::verdict::Status;

/// How a stream takes text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paint {
    /// Whether it takes colours: not in a pipe, and not with `NO_COLOR`, `TERM=dumb` or `--color never`.
    color: bool,
    /// Whether its last line can be drawn again.
    pub redraws: bool,
}

impl Paint {
    /// Plain lines.
    pub const PLAIN: Self = Self { color: false, redraws: false };

    /// A terminal.
    #[cfg(test)]
    pub const COLORED: Self = Self { color: true, redraws: true };

    /// By what stdout is.
    pub fn of_stdout(stdout: &Stdout) -> Self {
        Self::new(AutoStream::choice(stdout), stdout.is_terminal())
    }

    /// By what stderr is.
    pub fn of_stderr(stderr: &Stderr) -> Self {
        Self::new(AutoStream::choice(stderr), stderr.is_terminal())
    }

    /// `choice` is anstream's, which takes a dumb terminal for one with colours where `CI` is set.
    fn new(choice: ColorChoice, is_terminal: bool) -> Self {
        let is_dumb = is_terminal && std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_forced = ColorChoice::global() == ColorChoice::Always;
        let color = choice != ColorChoice::Never && (is_forced || !is_dumb);
        Self { color, redraws: is_terminal && !is_dumb }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_takes_colours_gets_them() {
        let color = Paint::new(ColorChoice::Always, false);
        assert_eq!(color.status(Status::Failed, "x"), "\x1b[1m\x1b[31mx\x1b[0m");
        assert_eq!(color.bold(""), "");
        assert_eq!(Paint::new(ColorChoice::Never, true).status(Status::Failed, "x"), "x");
        assert!(!color.redraws && Paint::PLAIN == Paint::default());
    }
}
