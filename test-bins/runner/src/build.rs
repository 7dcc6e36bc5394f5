//! Binaries of the workspace for this machine and others, and the check of their critical sections.

#[cfg(test)]
mod around_a_call;
#[cfg(test)]
mod assembles;
mod builds;
pub mod check;
mod compile;
pub mod elf;
mod linking;
pub mod toolchain;

pub use builds::{Builds, Programs, Suite, announced, checked};
pub use compile::{Binaries, Purpose, build, build_package};
pub use linking::Linking;
