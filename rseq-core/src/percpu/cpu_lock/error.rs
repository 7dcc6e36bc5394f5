//! Why another CPU's lock was not taken.

use crate::sys::MembarrierError;
use core::fmt;

/// Why [`Lock::lock_cpu`](super::Lock::lock_cpu) did not take a lock. The lock is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockCpuError {
    /// No CPU has this number, or no CPU has a lock of its own, as [`status`](crate::status) says: threads then use one
    /// lock, which [`Lock::lock`](super::Lock::lock) takes.
    NoLock(u32),
    /// The kernel refused the fence: before Linux 5.10, or behind a filter.
    NoFence(MembarrierError),
}

impl fmt::Display for LockCpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLock(cpu) => write!(f, "CPU {cpu} has no lock"),
            Self::NoFence(error) => write!(f, "membarrier(2) failed with {}", error.errno()),
        }
    }
}

impl core::error::Error for LockCpuError {}

impl From<MembarrierError> for LockCpuError {
    fn from(error: MembarrierError) -> Self {
        Self::NoFence(error)
    }
}
