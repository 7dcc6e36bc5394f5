//! Real kernels under QEMU: `fetch` gets them, `kernel` builds one, `boot` runs the static suite as their first process.
//!
//! | module | purpose |
//! |---|---|
//! | `catalog`, `machine` | the one table, and QEMU's command line |
//! | `select`, `args` | from options to kernels and cells |
//! | `fetch`, `install` | what to get, and the system's packages |
//! | `apt`, `mirror`, `resolve`, `version`, `unpack`, `zboot`, `cache` | from a suite's names to a kernel in the cache |
//! | `kernel`, `recipe`, `tools`, `source`, `make` | a kernel that no distribution has, built here |
//! | `toolchain`, `builds` | building for another architecture |
//! | `sections` | the critical sections of what was built, before it boots |
//! | `payload`, `cpio` | what a guest runs |
//! | `guest`, `console` | a run of QEMU, and what its console says |
//! | `cell`, `verdict`, `retry` | one cell, what became of it, and a second boot |
//! | `room`, `schedule`, `run`, `matrix` | cells side by side, and the table at the end |

mod apt;
mod args;
#[cfg(test)]
mod around_a_call;
#[cfg(test)]
mod assembles;
mod builds;
mod cache;
mod catalog;
mod cell;
mod console;
mod cpio;
mod elf;
mod faults;
mod fetch;
mod guest;
mod install;
mod kernel;
mod machine;
mod make;
mod matrix;
mod mirror;
mod payload;
mod recipe;
mod resolve;
mod retry;
mod room;
mod run;
mod schedule;
mod sections;
mod select;
mod source;
mod toolchain;
mod tools;
mod unpack;
mod verdict;
mod version;
mod zboot;

use std::io::Write;
use std::process::ExitCode;

pub use args::{BootArgs, Choice, FetchArgs, KernelArgs};
pub use builds::Programs;
pub use fetch::run as fetch;
pub use kernel::run as kernel;
pub use machine::Target;
pub use payload::Run;
pub use run::{run, run_programs};
pub use sections::{Counts, check as check_sections};
pub use toolchain::{Way, build as build_suite, find as way_to_build};

/// Ends with a message for the user.
fn stop(code: u8, message: &str) -> ExitCode {
    // With stderr closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "error: {message}");
    ExitCode::from(code)
}
