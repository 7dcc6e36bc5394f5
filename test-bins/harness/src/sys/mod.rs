//! The system calls that the tests need, on every architecture that `rseq-core` has.
//!
//! Numbers and constants are `linux-raw-sys`'s, the instruction is `rseq-core`'s. Only calls that all nine
//! architectures have are used, hence the old time structures.

pub mod cgroup;
pub mod cpu;
pub mod file;
pub mod filesystem;
mod identity;
pub mod memory;
pub mod perf;
pub mod process;
pub mod ptrace;
pub mod seccomp;
pub mod signal;
pub mod time;
pub mod vfork;

use linux_raw_sys::general as raw;
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

/// The system calls that are harmless whatever their arguments are: they take no pointer, and change nothing that Rust
/// relies on.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Harmless {
    ExitGroup = raw::__NR_exit_group,
    GetPid = raw::__NR_getpid,
    GetTid = raw::__NR_gettid,
    Kill = raw::__NR_kill,
    SchedYield = raw::__NR_sched_yield,
    TgKill = raw::__NR_tgkill,
    TimerDelete = raw::__NR_timer_delete,
}

/// Makes a harmless call.
pub(crate) fn harmless<const N: usize>(nr: Harmless, given: [usize; N]) -> Result<usize, Errno> {
    // SAFETY: the caller has to answer for the call's effects on memory, the thread and the process: these calls have
    // none that Rust relies on.
    unsafe { call(nr as u32, given) }
}
