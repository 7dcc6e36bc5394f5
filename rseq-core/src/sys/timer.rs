//! The process's timer, for children of this process.

use super::{Errno, syscall};
use linux_raw_sys::general::{__NR_setitimer, ITIMER_REAL};

/// Sends SIGALRM to the process after `microseconds`, and again each time as many have passed.
pub(crate) fn alarm_after(microseconds: usize) -> Result<(), Errno> {
    // Two timevals of two longs each: interval, value.
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let timer = [seconds, rest, seconds, rest];
    // SAFETY: the kernel reads one itimerval, and is given nowhere to write.
    unsafe { syscall(__NR_setitimer, [ITIMER_REAL as usize, &raw const timer as usize, 0, 0, 0, 0]) }.map(|_| ())
}
