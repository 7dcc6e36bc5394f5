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

use hosted::report::skipped;
