//! Why the data of another CPU was not reached.

use crate::sys::MembarrierError;
use core::fmt;

/// Why an operation did not reach the data of another CPU. The data is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteError {
    /// No CPU has this number, or there is no data for any CPU, and all threads use the shared data: sections are off,
    /// for a cause that [`status`](crate::status) returns, or there was no memory.
    NoSlot(u32),
    /// Another thread is draining or resizing this CPU's stack.
    Busy,
    /// The stack has no memory for this capacity.
    TooLarge,
    /// The kernel refused the fence: before Linux 5.10, or because of a filter.
    NoFence(MembarrierError),
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlot(cpu) => write!(f, "there is no data for CPU {cpu}"),
            Self::Busy => f.write_str("another thread drains or resizes this stack"),
            Self::TooLarge => f.write_str("the capacity is more than the stack has memory for"),
            Self::NoFence(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RemoteError {}

impl From<MembarrierError> for RemoteError {
    fn from(error: MembarrierError) -> Self {
        Self::NoFence(error)
    }
}
