//! Builds the static rseq suite, runs it on this machine's kernel and reports; boots it on others.

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod boot;
#[cfg(target_os = "linux")]
mod c;
#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod compile;
#[cfg(target_os = "linux")]
mod interrupt;
#[cfg(target_os = "linux")]
mod ktap;
#[cfg(target_os = "linux")]
mod list;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod native;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod select;
#[cfg(target_os = "linux")]
mod suite;
#[cfg(target_os = "linux")]
mod workspace;

use std::process::ExitCode;

/// What the command line asks for.
#[cfg(target_os = "linux")]
pub fn main() -> ExitCode {
    use clap::Parser;

    let cli = cli::Cli::parse();
    match &cli.command {
        Some(cli::Command::Fetch(args)) => boot::fetch(args),
        Some(cli::Command::Kernel(args)) => boot::kernel(args),
        Some(cli::Command::Boot(args)) => boot::run(args),
        Some(cli::Command::Check(args)) => rseq_check::main(args),
        Some(cli::Command::Compare(args)) => compare::main(args),
        Some(cli::Command::Headers) => c::headers(),
        Some(cli::Command::Install(args)) => c::install(args),
        Some(cli::Command::Suites(args)) => c::suites(args),
        Some(cli::Command::Bench(args)) => bench::main(args),
        None => run::main(&cli.native),
    }
}

/// Says that there is nothing to run here.
#[cfg(not(target_os = "linux"))]
pub fn main() -> ExitCode {
    eprintln!("error: rseq is a system call of Linux: this suite runs there only");
    ExitCode::from(2)
}
