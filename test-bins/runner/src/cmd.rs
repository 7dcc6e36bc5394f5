//! The command line, and who does what it asks for.

mod cli;
mod compare;
mod export;
mod hosts;
mod native;

use std::process::ExitCode;

use anstream::ColorChoice;

use crate::{bench, boot, c, interrupt, kernels};
use cli::Color;

/// What the command line asks for.
pub fn main() -> ExitCode {
    interrupt::see_children();
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
