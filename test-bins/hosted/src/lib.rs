//! What the std programs of this package share: `rseq-core` inside glibc, in main and in std threads.
//!
//! `percpu` runs one per-CPU test over either owner of the registration, `unload` loads and unloads a library with
//! critical sections. The integration tests build them in every way of linking and watch their system calls.

pub mod held_open;
pub mod maps;
pub mod plugin;
#[cfg(any(test, doctest))]
mod readmes;
pub mod report;
pub mod source;
pub mod storm;
pub mod trial;
