//! The linker scripts as texts, for build scripts: a package on crates.io does not see the files of another one.
//!
//! Linkers drop the arrays by which tools find critical sections, as no code refers to them. [`RSEQ`] keeps them. With
//! rseq-core among both the dependencies and the build dependencies, `build.rs` is:
//!
//! ```no_run
//! use std::{env, fs, path::Path};
//!
//! fn main() {
//!     let script = Path::new(&env::var_os("OUT_DIR").unwrap()).join("rseq.ld");
//!     fs::write(&script, rseq_core::linker::RSEQ).unwrap();
//!     println!("cargo::rustc-link-arg=-T{}", script.display());
//! }
//! ```
//!
//! GNU ld and lld take the scripts, as additions to their own; gold and mold do not.

/// `rseq.ld`: for programs and shared objects that have critical sections and thread-locals.
pub const RSEQ: &str = include_str!("../linker/rseq.ld");

/// `static.ld`: beside [`RSEQ`], for static programs on rseq-rt that abort on panic.
pub const STATIC: &str = include_str!("../linker/static.ld");

/// `sections.gdb`: a gdb script with the commands `rseq-sections`, `rseq-abort` and `rseq-next`. The manual's
/// [`debugging`](crate::manual::debugging) has their use.
pub const SECTIONS_GDB: &str = include_str!("../linker/sections.gdb");
