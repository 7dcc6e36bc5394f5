//! The command line: one file a subcommand.

mod args;
mod boot;
mod cli;
mod compare;
mod export;
mod hosts;
mod list;
mod native;

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anstream::ColorChoice;
use thiserror::Error;

pub use args::{Accel, BootArgs, Choice, FetchArgs, KernelArgs};
pub use boot::run_programs;

use crate::{bench, c, kernels};
use cli::Color;

/// What the command line asks for.
pub fn main() -> ExitCode {
    let cli = cli::Cli::read();
    match cli.color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
    .write_global();
    match &cli.command {
        Some(cli::Command::Fetch(args)) => kernels::fetch::run(args),
        Some(cli::Command::Kernel(args)) => kernels::custom::run(args),
        Some(cli::Command::Boot(args)) => boot::run(args),
        Some(cli::Command::Export(args)) => export::run(args),
        Some(cli::Command::Hosts(args)) => hosts::run(args),
        Some(cli::Command::Check(args)) => rseq_check::main(args),
        Some(cli::Command::Compare(args)) => compare::main(args),
        Some(cli::Command::Headers) => c::headers(),
        Some(cli::Command::Install(args)) => c::install(args),
        Some(cli::Command::Suites(args)) => c::suites(args),
        Some(cli::Command::Bench(args)) => bench::main(args),
        None => native::main(&cli.native),
    }
}

/// What a command ends with where something failed.
const FAILED: u8 = 1;
/// What it ends with where the command line makes no sense.
const USAGE: u8 = 2;
/// What shells report for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

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
    fn usage(reason: impl Into<anyhow::Error>) -> Self {
        Self::Usage(reason.into())
    }
}

/// The exit code of a command, and a message where there is no result.
fn exit(result: Result<u8, Stop>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(Stop::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        Err(Stop::Usage(error)) => stop(USAGE, error),
        Err(other) => stop(FAILED, anyhow::Error::new(other)),
    }
}

/// Ends with a message for the user: an error's with its causes.
pub fn stop(code: u8, message: impl Display) -> ExitCode {
    // With stderr closed, the message has no reader.
    let _ = writeln!(io::stderr(), "error: {message:#}");
    ExitCode::from(code)
}

/// The arguments of `suites --kernel-source` with these words more.
#[cfg(test)]
pub fn suites_args(words: &[&str]) -> c::SuitesArgs {
    use clap::Parser;

    let cli = cli::Cli::parse_from([&["runner", "suites"], words, &["--kernel-source"]].concat());
    match cli.command {
        Some(cli::Command::Suites(args)) => args,
        other => panic!("{other:?}"),
    }
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
