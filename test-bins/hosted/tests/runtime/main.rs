//! Programs on rseq-rt that other static programs of this repository are not: with a heap, with parts in C, linked in
//! other ways, under a debugger.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64"))]

mod auxiliary;
mod build;
mod c;
mod debugger;
mod guide;
mod heap;
mod links;
mod mistakes;
mod package;
mod panics;
mod stranger;
mod system;
mod tested;

/// Says what was not tested, also where the test passes, which hides what `eprintln` writes.
fn skipped(reason: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}
