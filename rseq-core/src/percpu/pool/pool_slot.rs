//! The list of a CPU.

use super::CAPACITY;
use crate::percpu::closing::Reopen;
use crate::sys::MembarrierError;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Set in the count of a closed list, so that the count is too large for sections to push or pop.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// A word in 8 bytes, as sections address them.
#[repr(align(8))]
struct Cell(AtomicUsize);

/// The number of nodes, followed by their addresses.
#[repr(C)]
pub(super) struct Slot {
    count: Cell,
    nodes: [Cell; CAPACITY],
}

impl Slot {
    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.count.0.load(Ordering::Relaxed) & !CLOSED
    }

    /// Closes the list, unless it is empty, passes each node to `each`, and reopens it as an empty one. One thread at a
    /// time does this, and `fence` restarts the sections that may be on the list.
    ///
    /// A section that has read the count before stores over the mark, so the mark is checked after a fence: sections
    /// after the fence see it.
    pub(super) fn drain(
        &self,
        mut fence: impl FnMut() -> Result<(), MembarrierError>,
        mut each: impl FnMut(usize),
    ) -> Result<usize, MembarrierError> {
        loop {
            let count = self.len();
            if count == 0 {
                return Ok(0);
            }
            if !self.replace(count, CLOSED | count) {
                continue;
            }
            if let Err(error) = fence() {
                // A section may have stored over the mark, or be about to: the count is then right.
                self.replace(CLOSED | count, count);
                return Err(error);
            }
            if self.count.0.load(Ordering::Acquire) == CLOSED | count {
                self.nodes.iter().take(count).for_each(|node| each(node.0.load(Ordering::Relaxed)));
                self.count.0.store(0, Ordering::Release);
                return Ok(count);
            }
        }
    }

    fn replace(&self, from: usize, to: usize) -> bool {
        self.count.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Reopen for Slot {
    fn reopen(&self) {
        let count = self.count.0.load(Ordering::Relaxed);
        if count & CLOSED != 0 {
            self.replace(count, count & !CLOSED);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    fn slot(nodes: usize) -> Slot {
        let node = |number| Cell(AtomicUsize::new(8 * number));
        Slot { count: Cell(AtomicUsize::new(nodes)), nodes: core::array::from_fn(node) }
    }

    /// The result of a drain, and the nodes that it passes on.
    fn drain(
        slot: &Slot,
        fence: impl FnMut() -> Result<(), MembarrierError>,
    ) -> (Result<usize, MembarrierError>, Vec<usize>) {
        let mut given = Vec::new();
        (slot.drain(fence, |node| given.push(node)), given)
    }

    #[test]
    fn a_section_that_stores_over_the_mark_is_seen() {
        let (slot, mut fences) = (slot(2), 0);
        let drained = drain(&slot, || {
            fences += 1;
            if fences == 1 {
                slot.count.0.store(3, Ordering::Relaxed);
            }
            Ok(())
        });
        assert_eq!((drained, fences, slot.len()), ((Ok(3), [0, 8, 16].to_vec()), 2, 0));
    }

    #[test]
    fn a_section_that_empties_the_list_over_the_mark_is_seen() {
        let slot = slot(1);
        let drained = drain(&slot, || {
            slot.count.0.store(0, Ordering::Relaxed);
            Ok(())
        });
        assert_eq!((drained, slot.len()), ((Ok(0), Vec::new()), 0));
    }

    #[test]
    fn a_refused_fence_changes_nothing() {
        let (slot, refused) = (slot(2), (Err(MembarrierError::NoCommand), Vec::new()));
        assert_eq!(drain(&slot, || Err(MembarrierError::NoCommand)), refused);
        assert_eq!(slot.count.0.load(Ordering::Relaxed), 2);
        let drained = drain(&slot, || {
            slot.count.0.store(1, Ordering::Relaxed);
            Err(MembarrierError::NoCommand)
        });
        assert_eq!((drained, slot.count.0.load(Ordering::Relaxed)), (refused, 1));
    }
}
