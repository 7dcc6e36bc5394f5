//! The list of a CPU.

use crate::Index;
use crate::percpu::fence::fence_index;
use crate::sys::MembarrierError;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Sections leave a list alone that is closed. They name this value by its number.
const CLOSED: usize = 1;

/// The address of the first node; 0 if there is none.
#[repr(transparent)]
#[derive(Debug)]
pub(super) struct Slot(AtomicUsize);

impl Slot {
    /// Closes the list, unless it is empty, and opens it as an empty one: the address of its first node, or 0. One thread at
    /// a time does this.
    ///
    /// A section that has read the word before stores over the mark, so it is looked for after a fence: those that follow
    /// the fence see it.
    pub(super) fn drain<K: Index>(&self, index: u32) -> Result<usize, MembarrierError> {
        loop {
            let first = self.0.load(Ordering::Relaxed);
            if first == 0 {
                return Ok(0);
            }
            if !self.replace(first, CLOSED) {
                continue;
            }
            if let Err(error) = fence_index::<K>(index) {
                // A section may have stored over the mark, or is about to: the list is whole then too.
                self.replace(CLOSED, first);
                return Err(error);
            }
            if self.replace(CLOSED, 0) {
                return Ok(first);
            }
        }
    }

    fn replace(&self, from: usize, to: usize) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
