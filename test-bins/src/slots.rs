//! Per-CPU words for tests, one to a pair of cache lines.

use rseq_core::sys::Errno;

use crate::sys::cpu;
use crate::sys::memory::Mapping;

/// Bytes from one CPU's word to the next's.
pub const STRIDE: usize = 128;

/// One word for each CPU number that can occur, all 0 at first.
pub struct Slots {
    memory: Mapping,
    count: usize,
}

/// Where the slots are: what threads keep in registers.
#[derive(Clone, Copy)]
pub struct View {
    base: usize,
    count: usize,
}

impl View {
    /// The word of slot `index`, valid as long as the slots are; `None` beyond the last.
    #[inline(always)]
    pub fn word(self, index: usize) -> Option<*mut usize> {
        (index < self.count).then(|| (self.base as *mut usize).wrapping_byte_add(index * STRIDE))
    }
}

impl Slots {
    /// Slots for every possible CPU, private to this process.
    pub fn new() -> Result<Self, Errno> {
        Self::within(Mapping::private)
    }

    /// Slots for every possible CPU, shared with children.
    pub fn shared() -> Result<Self, Errno> {
        Self::within(Mapping::shared)
    }

    #[inline(never)]
    fn within(map: fn(usize) -> Result<Mapping, Errno>) -> Result<Self, Errno> {
        let count = cpu::slots_by_mask()? as usize;
        Ok(Self { memory: map(count * STRIDE)?, count })
    }

    /// How many slots there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first slot.
    pub fn base(&self) -> *mut usize {
        self.memory.address() as *mut usize
    }

    /// The word of slot `index`; `None` beyond the last.
    pub fn word(&self, index: usize) -> Option<*mut usize> {
        self.view().word(index)
    }

    /// Where they are.
    pub fn view(&self) -> View {
        View { base: self.memory.address(), count: self.count }
    }

    /// The words of all slots.
    pub fn words(&self) -> impl Iterator<Item = *mut usize> + '_ {
        (0..self.count).filter_map(|index| self.word(index))
    }

    /// The sum over all slots, exact once nobody writes any more.
    pub fn sum(&self) -> usize {
        // SAFETY: each word is within the mapping and aligned; volatile, for sections write it behind the compiler's back.
        self.words().map(|word| unsafe { word.read_volatile() }).fold(0, usize::wrapping_add)
    }
}
