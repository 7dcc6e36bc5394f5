//! The list of a CPU.

use super::CAPACITY;
use crate::Index;
use crate::percpu::fence::fence_index;
use crate::sys::MembarrierError;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A list that sections leave alone has this bit in its count, which is too large then for one to push or pop.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// A word in 8 bytes, as sections address them.
#[repr(align(8))]
struct Cell(AtomicUsize);

/// Addresses of nodes, and their number before them.
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

    /// Closes the list, unless it is empty, gives `each` node to the caller, and opens it as an empty one. One thread at a
    /// time does this.
    ///
    /// A section that has read the count before stores over the mark, so it is looked for after a fence: those that follow
    /// the fence see it.
    pub(super) fn drain<K: Index>(&self, index: u32, mut each: impl FnMut(usize)) -> Result<usize, MembarrierError> {
        loop {
            let count = self.len();
            if count == 0 {
                return Ok(0);
            }
            if !self.replace(count, CLOSED | count) {
                continue;
            }
            if let Err(error) = fence_index::<K>(index) {
                // A section may have stored over the mark, or is about to: the count is right then too.
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
