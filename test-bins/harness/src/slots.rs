//! Per-CPU words for tests, one to a pair of cache lines.

use rseq_core::sys::Errno;

use crate::sys::cpu;
use crate::sys::memory::Mapping;

/// Bytes from one CPU's word to the next's.
pub const STRIDE: usize = 128;

/// Bytes from a slot's word to its second one, in the other cache line. Not in a separate mapping, where both words
/// would have the same offset in their pages: processors would then delay a load until the other word's store.
pub const SECOND: usize = STRIDE / 2;

/// One word for each CPU number that can occur, all 0 at first.
pub struct Slots {
    memory: Mapping,
    count: usize,
}

/// Where the slots are: what threads keep in a register.
#[derive(Clone, Copy)]
pub struct View(usize);

impl View {
    /// The word of slot `index`, unchecked. It is valid as long as the slots if the index is that of a registered
    /// thread, because there is a slot for every possible CPU.
    #[inline(always)]
    pub fn word(self, index: usize) -> *mut usize {
        (self.0 as *mut usize).wrapping_byte_add(index * STRIDE)
    }
}

impl Slots {
    /// Slots for every possible CPU, private to this process.
    pub fn new() -> Result<Self, Errno> {
        Self::at_least(0)
    }

    /// The same, and so many as are asked for.
    pub fn at_least(count: usize) -> Result<Self, Errno> {
        Self::within(Mapping::private, count)
    }

    /// Slots for every possible CPU, shared with children.
    pub fn shared() -> Result<Self, Errno> {
        Self::within(Mapping::shared, 0)
    }

    #[inline(never)]
    fn within(map: fn(usize) -> Result<Mapping, Errno>, at_least: usize) -> Result<Self, Errno> {
        let count = at_least.max(cpu::slots_by_mask()? as usize);
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
        (index < self.count).then(|| self.view().word(index))
    }

    /// Where they are.
    pub fn view(&self) -> View {
        View(self.memory.address())
    }

    /// The words of all slots.
    pub fn words(&self) -> impl Iterator<Item = *mut usize> + '_ {
        (0..self.count).filter_map(|index| self.word(index))
    }

    /// The sum over all slots, exact once nothing writes them.
    pub fn sum(&self) -> usize {
        sum(self.words())
    }

    /// The sum of the second words.
    pub fn sum_of_seconds(&self) -> usize {
        sum(self.words().map(|word| word.wrapping_byte_add(SECOND)))
    }
}

/// The sum of words of slots.
fn sum(words: impl Iterator<Item = *mut usize>) -> usize {
    // SAFETY: each word is within the mapping and aligned; volatile, because sections write it without the compiler's
    // knowledge.
    words.map(|word| unsafe { word.read_volatile() }).fold(0, usize::wrapping_add)
}
