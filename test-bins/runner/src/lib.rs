//! Builds the static rseq suite, runs it on this machine's kernel and reports; boots it on others.
//!
//! From the top down. No two files import each other, directly or through others.
//!
//! | module | for |
//! |---|---|
//! | `cmd` | the command line, and its subcommands |
//! | `boot`, `bench`, `c` | boots of what options choose, benchmarks of the per-CPU types, and the C library |
//! | `report` | what people and programs get to see |
//! | `guest`, `native`, `events` | runs under QEMU and on this machine, and what happens in them |
//! | `build` | binaries for this machine and others, and the check of their critical sections |
//! | `kernels` | machines and kernels: the catalog, the cache, fetching and building |
//! | `suite`, `verdict`, `ktap` | the one table of tests, what became of them, and what they print |
//! | `exit`, `process`, `lock` | how a command ends, child processes, and files that keep other processes out |
//! | `scratch`, `shell` | temporary directories, and quoted words |
#![cfg(target_os = "linux")]
// They panic where nobody reads, and then nothing is cleaned up.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod note;

mod bench;
mod boot;
mod build;
mod c;
mod cmd;
mod events;
mod exit;
mod guest;
mod host;
mod interrupt;
mod kernels;
mod ktap;
mod lock;
mod native;
mod process;
mod report;
mod scratch;
mod shell;
mod suite;
mod text;
mod tool;
mod verdict;
mod workspace;

pub use cmd::main;
pub use guest::capacity;

/// For tests: says what was not tested, also where the test passes, which hides what `eprintln` writes.
#[doc(hidden)]
pub fn skipped(reason: impl std::fmt::Display) {
    note!("skipped: {reason}");
}
