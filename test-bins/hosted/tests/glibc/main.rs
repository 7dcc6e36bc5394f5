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

use hosted::report::skipped;
