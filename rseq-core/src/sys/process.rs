//! Numbers of processes and threads.

use super::syscall;
use linux_raw_sys::general::__NR_getpid;

/// `getpid()`; None where a filter refuses it.
pub(crate) fn process_id() -> Option<u32> {
    // SAFETY: the call takes no argument and touches no memory.
    unsafe { syscall(__NR_getpid, [0; 6]) }.ok().map(|id| id as u32)
}

/// `gettid()`; None where a filter refuses it.
#[cfg(all(feature = "std", not(rseq_stub)))]
pub(crate) fn thread_id() -> Option<i32> {
    // SAFETY: the call takes no argument and touches no memory.
    unsafe { syscall(linux_raw_sys::general::__NR_gettid, [0; 6]) }.ok().map(|id| id as i32)
}
