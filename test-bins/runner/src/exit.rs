//! How a command ends: its exit code, and a message where it has no result.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use thiserror::Error;

use crate::interrupt::Interrupt;

/// What a command ends with where something failed.
pub const FAILED: u8 = 1;
/// What it ends with where the command line makes no sense.
pub const USAGE: u8 = 2;
/// What it ends with where there was nothing to run a program on: `git bisect run` leaves such a commit out.
pub const UNTESTED: u8 = 125;
/// What shells report for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The exit code of a run, by whether something in it is bad.
pub fn of_run(is_bad: bool, interrupt: &Interrupt) -> u8 {
    match is_bad {
        _ if interrupt.requested() => INTERRUPTED,
        true => FAILED,
        false => 0,
    }
}

/// Why a command gives no result.
#[derive(Debug, Error)]
pub enum Stop {
    /// The command line makes no sense here.
    #[error(transparent)]
    Usage(anyhow::Error),
    /// Something that is needed did not work.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
    /// Our output has no reader any more, or it cannot be written.
    #[error("cannot write the results")]
    Output(#[from] io::Error),
}

impl Stop {
    /// The command line makes no sense, for this reason.
    pub fn usage(reason: impl Into<anyhow::Error>) -> Self {
        Self::Usage(reason.into())
    }
}

/// The exit code of a command, and a message where there is no result.
pub fn code(result: Result<u8, Stop>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(Stop::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        Err(Stop::Usage(error)) => stop(USAGE, error),
        Err(other) => stop(FAILED, anyhow::Error::new(other)),
    }
}

/// Ends with a message for the user: an error's with its causes.
pub fn stop(code: u8, message: impl Display) -> ExitCode {
    note!("error: {message:#}");
    ExitCode::from(code)
}

/// Success, or [`FAILED`] with what went wrong.
pub fn finish(result: anyhow::Result<()>) -> ExitCode {
    code(result.map(|()| 0).map_err(Stop::from))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn each_cause_is_printed_once() {
        let printed = |stop: Stop| format!("{:#}", anyhow::Error::new(stop));
        assert_eq!(printed(Stop::Output(io::Error::other("full"))), "cannot write the results: full");
        assert_eq!(printed(anyhow!("cause").context("effect").into()), "effect: cause");
        let no_program = crate::process::succeed(&mut Command::new("no-such-program")).unwrap_err();
        let no_file = fs_err::read("/nonexistent").unwrap_err();
        for error in [anyhow::Error::new(no_program), no_file.into()] {
            let printed = printed(error.into());
            assert_eq!(printed.matches("No such file").count(), 1, "{printed}");
        }
    }
}
