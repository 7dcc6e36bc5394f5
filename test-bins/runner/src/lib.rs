//! Builds the static rseq suite, runs it on this machine's kernel and reports; boots it on others.
//!
//! | module | for |
//! |---|---|
//! | `cmd` | the command line: one file a subcommand |
//! | `suite` | the one table of tests |
//! | `native` | runs on this machine |
//! | `kernels` | machines and kernels: the catalog, the cache, fetching and building |
//! | `build` | binaries for this machine and others, and the check of their critical sections |
//! | `guest` | boots under QEMU, and what became of them |
//! | `exit` | how a command ends |
//! | `events` | what happens in a run, which reporters hear of |
//! | `process`, `verdict` | the driver of child processes, and what became of what they ran |
//! | `scratch` | temporary directories |
//! | `report`, `ktap` | what people and programs get to see, and what tests print |
//! | `bench`, `c` | the benchmarks of the per-CPU types, and the C library |
#![cfg(target_os = "linux")]

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
mod native;
mod process;
mod report;
mod scratch;
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
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}
