//! Storage with one slot for each index.

use super::{Private, Shared};
use core::fmt;
use core::marker::PhantomData;
use core::mem::size_of;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::AtomicUsize;

const WORD: usize = size_of::<usize>();

/// Words that lie `STRIDE` bytes apart, one for each index that a thread can have.
///
/// `STRIDE` is a power of two and at least a word. With 64, the default and a cache line on most machines, CPUs do not share
/// lines; machines that fetch lines in pairs like 128.
///
/// `S` says whose memory it is: [`Private`], one process's, or [`Shared`].
#[derive(Clone, Copy, Debug)]
pub struct Slots<'a, const STRIDE: usize = 64, S = Private> {
    words: &'a [AtomicUsize],
    sharing: PhantomData<S>,
}

/// Why memory does not serve as [`Slots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotsError {
    /// There is less than a slot for each index.
    TooFew {
        /// Slots needed.
        needed: usize,
        /// Slots in the memory given.
        given: usize,
    },
    /// The memory does not begin at a multiple of this many bytes, so slots would share cache lines.
    Misaligned(usize),
}

impl fmt::Display for SlotsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew { needed, given } => write!(f, "{given} slots are too few, {needed} are needed"),
            Self::Misaligned(align) => write!(f, "the memory of the slots is not aligned to {align} bytes"),
        }
    }
}

impl core::error::Error for SlotsError {}

impl<'a, const STRIDE: usize> Slots<'a, STRIDE> {
    /// Words in a slot.
    pub const WORDS: usize = {
        assert!(STRIDE.is_power_of_two() && STRIDE >= WORD, "a stride is a power of two, and a word at least");
        STRIDE / WORD
    };

    /// Slots over `words`, memory of this process, at least `needed` of them: see [`PossibleCpus`](super::PossibleCpus).
    ///
    /// Memory that stays shared across a `fork`, or that another process maps, takes [`shared`](Slots::shared).
    ///
    /// # Errors
    ///
    /// [`SlotsError`].
    pub fn new(words: &'a [AtomicUsize], needed: usize) -> Result<Self, SlotsError> {
        Self::over(words, needed)
    }
}

impl<'a, const STRIDE: usize> Slots<'a, STRIDE, Shared> {
    /// Slots over `words`, memory that processes share: the same as [`new`](Slots::new) for storage by CPU, and refused where
    /// it would go by concurrency ID. Every process has the same `STRIDE`.
    ///
    /// # Errors
    ///
    /// [`SlotsError`].
    pub fn shared(words: &'a [AtomicUsize], needed: usize) -> Result<Self, SlotsError> {
        Self::over(words, needed)
    }
}

impl<'a, const STRIDE: usize, S> Slots<'a, STRIDE, S> {
    fn over(words: &'a [AtomicUsize], needed: usize) -> Result<Self, SlotsError> {
        let per_slot = Slots::<STRIDE>::WORDS;
        let given = (words.len() / per_slot).min(i32::MAX as usize);
        let align = STRIDE.min(64);
        if given < needed || given == 0 {
            return Err(SlotsError::TooFew { needed: needed.max(1), given });
        }
        if !words.as_ptr().addr().is_multiple_of(align) {
            return Err(SlotsError::Misaligned(align));
        }
        Ok(Self { words: &words[..given * per_slot], sharing: PhantomData })
    }

    /// The same slots, once an index that separates their users has been chosen.
    pub(crate) const fn separated(self) -> Slots<'a, STRIDE> {
        Slots { words: self.words, sharing: PhantomData }
    }

    /// How many slots there are.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "there is always a slot")]
    pub fn len(self) -> usize {
        self.words.len() / Slots::<STRIDE>::WORDS
    }

    /// The slots' words, in order.
    pub fn iter(self) -> impl Iterator<Item = &'a AtomicUsize> + Clone {
        self.words.iter().step_by(Slots::<STRIDE>::WORDS)
    }

    /// The first slot, for sections. Atomics may be written through a shared reference.
    #[inline]
    pub(crate) fn base(self) -> *mut usize {
        self.words.as_ptr().cast_mut().cast()
    }
}

/// `N` words that begin on a cache line: memory for [`Slots`] in a static or on a stack.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct CacheAligned<const N: usize>([AtomicUsize; N]);

impl<const N: usize> CacheAligned<N> {
    /// Words of 0.
    pub const fn new() -> Self {
        Self([const { AtomicUsize::new(0) }; N])
    }
}

impl<const N: usize> Default for CacheAligned<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Deref for CacheAligned<N> {
    type Target = [AtomicUsize];

    fn deref(&self) -> &[AtomicUsize] {
        &self.0
    }
}

impl<const N: usize> DerefMut for CacheAligned<N> {
    fn deref_mut(&mut self) -> &mut [AtomicUsize] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_slots_are_refused() {
        let memory = CacheAligned::<16>::new();
        let slots = 16 / Slots::<64>::WORDS;
        assert_eq!(Slots::<64>::new(&memory, slots).unwrap().len(), slots);
        let refused = Slots::<64>::new(&memory, slots + 1).unwrap_err();
        assert_eq!(refused, SlotsError::TooFew { needed: slots + 1, given: slots });
        assert_eq!(Slots::<64>::new(&[], 0).unwrap_err(), SlotsError::TooFew { needed: 1, given: 0 });
    }

    #[test]
    fn shared_slots_are_checked_alike() {
        let memory = CacheAligned::<16>::new();
        let slots = 16 / Slots::<64>::WORDS;
        assert_eq!(Slots::<64, _>::shared(&memory, slots).unwrap().len(), slots);
        assert!(Slots::<64, _>::shared(&memory, slots + 1).is_err());
        assert_eq!(Slots::<64, _>::shared(&memory[1..], 1).unwrap_err(), SlotsError::Misaligned(64));
    }

    #[test]
    fn slots_that_share_cache_lines_are_refused() {
        let memory = CacheAligned::<16>::new();
        assert_eq!(Slots::<64>::new(&memory[1..], 1).unwrap_err(), SlotsError::Misaligned(64));
        assert!(Slots::<{ WORD }>::new(&memory[1..], 1).is_ok());
    }
}
