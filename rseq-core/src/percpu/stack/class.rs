//! The size classes of stacks.

use super::stack_slot::{HEADER, WORD};
use crate::percpu::memory::STRIDE;

/// Selects an array of a slot, with numbers so small that it is passed in a register. An item has at most [`STRIDE`] /
/// 2 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// Bytes from the start of the item to this class's header.
    offset: u16,
    number: u16,
    capacity: u16,
}

impl Class {
    /// A class of `capacity`, after `number` other classes with `first` words: everything is within half a stride.
    pub(super) const fn new(number: usize, first: usize, capacity: usize) -> Self {
        let offset = HEADER * number + WORD * first;
        debug_assert!(offset + WORD * capacity <= STRIDE / 2);
        Self { offset: offset as u16, number: number as u16, capacity: capacity as u16 }
    }

    pub(super) fn number(self) -> usize {
        self.number as usize
    }

    pub(super) fn capacity(self) -> usize {
        self.capacity as usize
    }

    /// Bytes from the start of the item to this class's header.
    pub(super) fn offset(self) -> usize {
        self.offset as usize
    }

    /// Words of the classes before this one.
    pub(super) fn first(self) -> usize {
        (self.offset as usize - HEADER * self.number()) / WORD
    }
}
