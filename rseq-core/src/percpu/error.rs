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

/// Runs a section on `len` slots, and determines why it left by `OutOfRange`. A macro, so that nothing is stored for
/// the slow path before it is taken.
macro_rules! in_slot {
    ($token:expr, $len:expr, $section:expr) => {
        match $section {
            Ok(done) => Ok(done),
            Err(OutOfRange) => $crate::percpu::error::without_slot($token, $len, move || $section),
        }
    };
}
pub(super) use in_slot;

/// The section that left does not say which index it had. If the present index has a slot, the thread has moved, and
/// the section runs again.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ThreadArea;
    use crate::abi::{Rseq, SliceCtrl};
    use core::ptr::NonNull;

    /// The result of a section that left, in a thread on `cpu_id` with slots for 2 CPUs, and how often it ran again.
    fn outcome(cpu_id: u32, leaves: u32) -> (Result<(), IndexError>, u32) {
        let slice_ctrl = SliceCtrl::default();
        let (node_id, mm_cid, reserved) = (0, 0, 0);
        let mut area = Rseq { cpu_id_start: 0, cpu_id, rseq_cs: 0, flags: 0, node_id, mm_cid, slice_ctrl, reserved };
        let token = Token::new(ThreadArea::new(NonNull::from(&mut area), 20));
        let mut runs = 0;
        let result = without_slot(token, 2, || {
            runs += 1;
            if runs > leaves { Ok(()) } else { Err(OutOfRange) }
        });
        (result, runs)
    }

    #[test]
    fn the_reason_is_that_of_the_moment() {
        assert_eq!(outcome(2, 0), (Err(IndexError::NoSlot(2)), 0));
        assert_eq!(outcome(u32::MAX, 0), (Err(IndexError::NotRegistered), 0));
        assert_eq!(outcome(u32::MAX - 1, 0), (Err(IndexError::NotRegistered), 0));
    }

    #[test]
    fn a_thread_that_has_moved_to_a_slot_runs_its_section_again() {
        assert_eq!(outcome(1, 0), (Ok(()), 1));
        assert_eq!(outcome(1, 2), (Ok(()), 3));
    }
}
