//! The command line: one file a subcommand.

mod args;
mod boot;
mod cli;
mod compare;
mod export;
mod hosts;
mod list;
mod native;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

pub use args::{Accel, BootArgs, Choice, FetchArgs, KernelArgs};
pub use boot::run_programs;

use crate::{bench, c, kernels};

/// What the command line asks for.
pub fn main() -> ExitCode {
    let cli = cli::Cli::parse();
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

/// Ends with a message for the user.
pub fn stop(code: u8, message: &str) -> ExitCode {
    // With stderr closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "error: {message}");
    ExitCode::from(code)
}

/// The arguments of `suites --kernel-source` with these words more.
#[cfg(test)]
pub fn suites_args(words: &[&str]) -> c::SuitesArgs {
    let cli = cli::Cli::parse_from([&["runner", "suites"], words, &["--kernel-source"]].concat());
    match cli.command {
        Some(cli::Command::Suites(args)) => args,
        other => panic!("{other:?}"),
    }
}
