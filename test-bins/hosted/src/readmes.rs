//! The examples of READMEs that are no crate's documentation, as a reader would paste them.
//!
//! They are here because no published package can hold them: it has no files of other packages.

#[doc = include_str!("../../../README.md")]
mod repository {}

#[doc = include_str!("../../../linker/README.md")]
mod linker {}

#[doc = include_str!("../../../rseq-rt/heap/README.md")]
mod heap {}
