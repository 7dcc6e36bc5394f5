//! Why an operation did not find a slot.

use crate::{Area, Index, OutOfRange, Token};
use core::fmt;

/// Why an operation found no slot for this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// The thread is not registered: its registration has ended since the token was made.
    NotRegistered,
    /// The thread's index, the CPU or the concurrency ID, has no slot: the storage was made for fewer.
    NoSlot(u32),
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered => f.write_str("this thread is not registered for rseq"),
            Self::NoSlot(index) => write!(f, "the storage has no slot {index}"),
        }
    }
}

impl core::error::Error for IndexError {}

/// Runs a section on `len` slots, and finds out why it left by `OutOfRange`. A macro, so that nothing is stored for the slow
/// path before it is taken.
macro_rules! in_slot {
    ($token:expr, $len:expr, $section:expr) => {
        match $section {
            Ok(done) => Ok(done),
            Err(OutOfRange) => $crate::percpu::error::without_slot($token, $len, move || $section),
        }
    };
}
pub(super) use in_slot;

/// A section that left does not say which index it had: if the index of this moment has a slot, the thread has moved, and the
/// section runs again.
#[cold]
#[inline(never)]
pub(super) fn without_slot<A: Area, K: Index, T>(
    token: Token<'_, A, K>,
    len: usize,
    mut section: impl FnMut() -> Result<T, OutOfRange>,
) -> Result<T, IndexError> {
    loop {
        let index = token.slot();
        if !token.is_registered() {
            return Err(IndexError::NotRegistered);
        }
        if index as usize >= len {
            return Err(IndexError::NoSlot(index));
        }
        if let Ok(done) = section() {
            return Ok(done);
        }
    }
}
