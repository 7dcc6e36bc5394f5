//! `rseq-check FILE...`: the subcommand `check` of the runner as a separate program.

use std::process::ExitCode;

use clap::Parser;

/// Verifies the restartable sequences in linked ELF files.
#[derive(Debug, Parser)]
#[command(
    name = "rseq-check",
    version,
    after_help = "Exit codes: 0 nothing found, 1 a finding, 2 a file that cannot be read, or a usage error."
)]
struct Cli {
    #[command(flatten)]
    args: rseq_check::CheckArgs,
}

fn main() -> ExitCode {
    rseq_check::main(&Cli::parse().args)
}
