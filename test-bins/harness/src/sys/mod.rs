//! The system calls that the tests need, on every architecture that `rseq-core` has.
//!
//! Numbers and constants are `linux-raw-sys`'s, the instruction is `rseq-core`'s. Only calls that all nine architectures
//! have are used, so old time structures.

pub mod cgroup;
pub mod cpu;
pub mod file;
pub mod filesystem;
pub mod memory;
pub mod perf;
pub mod process;
pub mod ptrace;
pub mod seccomp;
pub mod signal;
pub mod time;
pub mod vfork;

use rseq_core::sys::{Errno, syscall};

/// The system call `nr` with up to six arguments, the rest 0.
///
/// # Errors
///
/// The kernel's.
///
/// # Safety
///
/// As [`rseq_core::sys::syscall`]: the caller answers for what the call does.
pub unsafe fn call<const N: usize>(nr: u32, given: [usize; N]) -> Result<usize, Errno> {
    let mut args = [0; 6];
    for (slot, value) in args.iter_mut().zip(given) {
        *slot = value;
    }
    // SAFETY: the caller answers for the call's effects; unused argument registers are 0.
    unsafe { syscall(nr, args) }
}

/// A system call that hands the kernel no memory and changes no state that Rust relies on.
pub(crate) fn harmless<const N: usize>(nr: u32, given: [usize; N]) -> Result<usize, Errno> {
    // SAFETY: every caller in this module passes a call without pointers that only asks for or changes kernel-side state.
    unsafe { call(nr, given) }
}
