//! The command line.

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use rseq_check::CheckArgs;

use super::compare::CompareArgs;
use super::export::ExportArgs;
use super::hosts::HostsArgs;
use super::native::NativeArgs;
use crate::bench::BenchArgs;
use crate::boot::BootArgs;
use crate::c::{InstallArgs, SuitesArgs};
use crate::kernels::custom::KernelArgs;
use crate::kernels::fetch::FetchArgs;

/// Builds the static rseq suite, runs it on this machine's kernel and reports.
#[derive(Debug, Parser)]
#[command(
    name = "runner",
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 nothing failed, 1 something did (or could not be built), 2 usage error, 130 \
                  interrupted.\nPiped, it prints KTAP; on a terminal, progress and a table."
)]
pub struct Cli {
    /// Without one, a native run.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Options of a native run.
    #[command(flatten)]
    pub native: NativeArgs,

    /// Whether there are colours; `auto` obeys NO_COLOR, CLICOLOR_FORCE and TERM
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: Color,
}

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On terminals.
    Auto,
    /// Even in pipes.
    Always,
    /// Nowhere.
    Never,
}

impl Cli {
    /// Reads the command line. Options may also stand before the subcommand that they are of.
    pub fn read() -> Self {
        Self::parse_from(in_order(std::env::args_os().collect()))
    }
}

/// The words with those before a subcommand put after it.
fn in_order(mut words: Vec<OsString>) -> Vec<OsString> {
    // Without this setting, no option can stand before a subcommand.
    let command = Cli::command().args_conflicts_with_subcommands(false);
    let lenient = command.clone().ignore_errors(true).try_get_matches_from(&words);
    let Some(name) = lenient.ok().and_then(|matches| matches.subcommand_name().map(str::to_owned)) else {
        return words;
    };
    // The same word may be the value of an option that stands before it: then what is before the word is not complete.
    let is_whole = |end: &usize| command.clone().try_get_matches_from(&words[..*end]).is_ok();
    if let Some(place) = (1..words.len()).filter(|&place| words[place] == *name).find(is_whole) {
        words[1..=place].rotate_right(1);
    }
    words
}

/// What else there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Get QEMU and kernels through the system's package manager
    Fetch(FetchArgs),
    /// Build a small kernel with the time slice extension
    Kernel(KernelArgs),
    /// Boot kernels under QEMU and run the suite, or any static program, inside
    Boot(Box<BootArgs>),
    /// Write the suite as a bundle for machines without this repository, in the layout of the kernel's selftests
    Export(ExportArgs),
    /// Run the short native suite under tracers, emulators, filters, namespaces and limits
    Hosts(HostsArgs),
    /// Verify the critical sections in linked ELF files
    Check(CheckArgs),
    /// Measure param_test side by side with another one, such as the kernel's
    Compare(CompareArgs),
    /// Write the generated headers of the C library anew
    Headers,
    /// Install the C library, its headers and its pkg-config file
    Install(InstallArgs),
    /// Run the C programs of the kernel's selftests, or others, on the C library
    Suites(SuitesArgs),
    /// Measure the per-CPU types beside their peers in Rust
    Bench(BenchArgs),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_stand_before_their_subcommand() {
        for (words, expected) in [
            ("runner boot --list", "runner boot --list"),
            ("runner --json boot --list", "runner boot --json --list"),
            ("runner --html a.html --junit boot boot x", "runner boot --html a.html --junit boot x"),
            ("runner --color never fetch", "runner fetch --color never"),
            ("runner --bin-dir boot basic_test", "runner --bin-dir boot basic_test"),
            ("runner --full basic_test boot", "runner --full basic_test boot"),
        ] {
            let words = words.split(' ').map(OsString::from).collect();
            let expected: Vec<_> = expected.split(' ').map(OsString::from).collect();
            assert_eq!(in_order(words), expected);
        }
    }
}
