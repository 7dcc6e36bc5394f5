//! `rseq-core` in glibc processes: every way of linking, both owners, and the system calls that come of it.
#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

mod ambient;
mod build;
mod debugger;
mod edges;
mod fuzz;
mod kept;
mod linking;
mod plugin;
mod recorder;
mod registrations;
mod unloading;
mod unwinding;

/// Says what was not tested, also where the test passes, which hides what `eprintln` writes.
fn skipped(reason: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}
