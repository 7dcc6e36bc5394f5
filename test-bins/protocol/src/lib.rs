//! What tests, a guest's `init` and the runner tell each other, stated once for those who write it and those who read
//! it.
//!
//! | module | between |
//! |---|---|
//! | [`ktap`] | whoever prints results and whoever reads them |
//! | [`outcome`] | results, totals and exit codes |
//! | [`list`] | the runner, which puts a list of programs into the guest, and `init`, which runs them |
//! | [`name`] | `init`, which names results after programs, and the runner, which finds them again |
//! | [`mark`] | the guest, which prints these lines, and the runner, which follows the console |
//! | [`text`] | text without an allocator |
//!
//! The crate depends on nothing and has no features: static programs without a libc link it as it is.

#![cfg_attr(not(test), no_std)]

pub mod ktap;
pub mod list;
pub mod mark;
pub mod name;
pub mod outcome;
pub mod text;
