//! The list of a CPU.

use crate::percpu::closing::Reopen;
use crate::sys::MembarrierError;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The value of a closed list, which sections do not change. Sections name it by its number.
const CLOSED: usize = 1;

#[repr(C)]
#[derive(Debug)]
pub(super) struct Slot {
    /// The address of the first node; 0 if there is none.
    first: AtomicUsize,
    /// The first node of the closed list. Sections do not use it.
    closed: AtomicUsize,
}

impl Slot {
    /// Closes the list, unless it is empty, reopens it as an empty one, and returns the address of its first node, or
    /// 0. One thread at a time does this, and `fence` restarts the sections that may be on the list.
    ///
    /// A section that has read the word before stores over the mark, so the mark is checked after a fence: sections
    /// after the fence see it.
    pub(super) fn drain(
        &self,
        mut fence: impl FnMut() -> Result<(), MembarrierError>,
    ) -> Result<usize, MembarrierError> {
        loop {
            let first = self.first.load(Ordering::Relaxed);
            if first == 0 {
                return Ok(0);
            }
            // Who finds the mark, which is a release, finds this too.
            self.closed.store(first, Ordering::Relaxed);
            if !self.replace(first, CLOSED) {
                continue;
            }
            if let Err(error) = fence() {
                // A section may have stored over the mark, or be about to: the list is then unchanged.
                self.replace(CLOSED, first);
                return Err(error);
            }
            if self.replace(CLOSED, 0) {
                return Ok(first);
            }
        }
    }

    #[cfg(all(test, not(miri), not(rseq_stub)))]
    pub(super) fn is_closed(&self) -> bool {
        self.first.load(Ordering::Relaxed) == CLOSED
    }

    fn replace(&self, from: usize, to: usize) -> bool {
        self.first.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Reopen for Slot {
    fn reopen(&self) {
        self.replace(CLOSED, self.closed.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(first: usize) -> Slot {
        Slot { first: AtomicUsize::new(first), closed: AtomicUsize::new(0) }
    }

    #[test]
    fn a_section_that_stores_over_the_mark_is_seen() {
        let (slot, mut fences) = (slot(64), 0);
        let drained = slot.drain(|| {
            fences += 1;
            if fences == 1 {
                slot.first.store(128, Ordering::Relaxed);
            }
            Ok(())
        });
        assert_eq!((drained, fences, slot.first.into_inner()), (Ok(128), 2, 0));
    }

    #[test]
    fn a_refused_fence_changes_nothing() {
        let slot = slot(64);
        assert_eq!(slot.drain(|| Err(MembarrierError::NoCommand)), Err(MembarrierError::NoCommand));
        assert_eq!(slot.first.load(Ordering::Relaxed), 64);
        let refused = slot.drain(|| {
            slot.first.store(128, Ordering::Relaxed);
            Err(MembarrierError::NoCommand)
        });
        assert_eq!((refused, slot.first.into_inner()), (Err(MembarrierError::NoCommand), 128));
    }
}
