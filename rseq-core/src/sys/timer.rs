//! The process's timer, for children of this process.

use super::{Errno, syscall};
use linux_raw_sys::general::{__NR_setitimer, ITIMER_REAL};

/// Sends SIGALRM to the process after `microseconds`, less than a million, and again each time as many have passed.
pub(crate) fn alarm_after(microseconds: usize) -> Result<(), Errno> {
    // Two timevals of two longs each: interval, value.
    let timer = [0, microseconds, 0, microseconds];
    // SAFETY: the kernel reads one itimerval, and is given nowhere to write.
    unsafe { syscall(__NR_setitimer, [ITIMER_REAL as usize, &raw const timer as usize, 0, 0, 0, 0]) }.map(|_| ())
}
