//! Why a stack did not do what it was asked for.

use crate::sys::MembarrierError;
use core::fmt;

/// An item that a stack has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stack is full")
    }
}

impl<T: fmt::Debug> core::error::Error for Full<T> {}

/// Why a slot was not drained or resized. It is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackError {
    /// Another thread drains, resizes or opens the slot at this moment.
    Busy,
    /// There is no slot of this index: no CPU has it, or per-CPU data is off.
    NoSlot,
    /// The capacity is more than the stack has memory for.
    TooLarge,
    /// The kernel refuses the fence (before Linux 5.10, or by a filter).
    Fence(MembarrierError),
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("another thread holds the slot"),
            Self::NoSlot => f.write_str("there is no slot of this index"),
            Self::TooLarge => f.write_str("the capacity is more than the stack has memory for"),
            Self::Fence(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for StackError {}
