//! Storage with one slot for each index.

use super::{PossibleCpus, Private, Shared, SlotStorage, UniqueIn};
use crate::{ByCpu, Index};
use core::fmt;
use core::marker::PhantomData;
use core::mem::size_of;
use core::sync::atomic::{AtomicUsize, Ordering};

const WORD: usize = size_of::<usize>();

/// Words that lie `STRIDE` bytes apart, one for each index that a thread can have: per-CPU storage for
/// [`SlotCounter`](super::SlotCounter) and for sections of your own.
///
/// `K` is the index of the slots. `STRIDE` is a power of two and at least a word. With 64, the default and a
/// cache line on most machines, CPUs do not share lines; machines that fetch lines in pairs like 128.
///
/// # One kind, one stride
///
/// Sections exclude each other only if they agree on which slot belongs to whom. Two threads that use one word, one of
/// them by CPU and the other by concurrency ID, or with another stride, would lose updates. Slots therefore borrow
/// their memory exclusively ([`new`](Self::new)), or belong to a static whose type fixes both ([`SlotStorage`]). Copies
/// of a `Slots` agree with each other.
///
/// ```compile_fail,E0499
/// # use core::sync::atomic::AtomicUsize;
/// # use rseq_core::{ByCpu, ByMmCid, percpu::{PossibleCpus, Slots}};
/// fn two(words: &mut [AtomicUsize], cpus: &PossibleCpus) {
///     let by_cpu = Slots::<ByCpu>::new(words, cpus);
///     let by_mm_cid = Slots::<ByMmCid>::new(words, cpus);
///     drop((by_cpu, by_mm_cid));
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Slots<'a, K = ByCpu, const STRIDE: usize = 64> {
    words: &'a [AtomicUsize],
    len: usize,
    kind: PhantomData<K>,
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

impl<'a, K: UniqueIn<Private>, const STRIDE: usize> Slots<'a, K, STRIDE> {
    /// Slots over `words`, memory of this process, at least one for each index that a thread can have on `cpus`. The
    /// words keep their values.
    ///
    /// `words` are borrowed exclusively, because nothing else may write them; for a static there is [`SlotStorage`].
    /// Memory that stays shared across a `fork`, or that another process maps, takes [`shared`](Slots::shared).
    ///
    /// ```compile_fail,E0308
    /// # use core::sync::atomic::AtomicUsize;
    /// # use rseq_core::percpu::{PossibleCpus, Slots, SlotsError};
    /// fn not_exclusive<'a>(words: &'a [AtomicUsize], cpus: &PossibleCpus) -> Result<Slots<'a>, SlotsError> {
    ///     Slots::new(words, cpus)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SlotsError`].
    ///
    /// # Examples
    ///
    /// ```
    /// use core::sync::atomic::AtomicUsize;
    /// use rseq_core::percpu::{SlotCounter, PossibleCpus, Slots};
    ///
    /// let cpus = PossibleCpus::read()?;
    /// let mut words = Vec::new();
    /// words.resize_with(cpus.slots_by_cpu(), AtomicUsize::default);
    /// // A stride of one word: dense, but CPUs share cache lines.
    /// let slots = Slots::<_, { size_of::<usize>() }>::new(&mut words, &cpus)?;
    /// let counter: SlotCounter<'_, _, _> = SlotCounter::new(slots);
    /// # fn by_cpu<const N: usize>(_: SlotCounter<'_, rseq_core::ByCpu, N>) {}
    /// # by_cpu(counter);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(words: &'a mut [AtomicUsize], cpus: &PossibleCpus) -> Result<Self, SlotsError> {
        Self::over(words, cpus)
    }
}

impl<'a, K: UniqueIn<Shared>, const STRIDE: usize> Slots<'a, K, STRIDE> {
    /// Slots over `words`, memory that processes share, which is why the slots are indexed by CPU number: see
    /// [`UniqueIn`].
    ///
    /// # Errors
    ///
    /// [`SlotsError`].
    ///
    /// # Safety
    ///
    /// As long as these slots or a copy of them exist in any process, the words are written by sections by CPU only,
    /// each in the slot of its CPU, and all processes use slots of this `STRIDE` that begin at the same word.
    pub unsafe fn shared(words: &'a [AtomicUsize], cpus: &PossibleCpus) -> Result<Self, SlotsError> {
        Self::over(words, cpus)
    }
}

impl<'a, K: Index, const STRIDE: usize> Slots<'a, K, STRIDE> {
    /// Words in a slot.
    pub const WORDS: usize = {
        assert!(STRIDE.is_power_of_two() && STRIDE >= WORD, "a stride is a power of two, and a word at least");
        STRIDE / WORD
    };

    /// Nothing else writes the words as long as the slots exist.
    fn over(words: &'a [AtomicUsize], cpus: &PossibleCpus) -> Result<Self, SlotsError> {
        let needed = cpus.slots::<K>();
        let len = (words.len() / Self::WORDS).min(i32::MAX as usize);
        let align = STRIDE.min(64);
        if len < needed || len == 0 {
            return Err(SlotsError::TooFew { needed, given: len });
        }
        if !words.as_ptr().addr().is_multiple_of(align) {
            return Err(SlotsError::Misaligned(align));
        }
        Ok(Self { words, len, kind: PhantomData })
    }

    /// The slots of `storage`, of its kind and stride, like all others made from it.
    pub(super) fn of<const SLOTS: usize>(
        storage: &'a SlotStorage<SLOTS, K, STRIDE>,
        cpus: &PossibleCpus,
    ) -> Result<Self, SlotsError> {
        Self::over(storage.words(), cpus)
    }

    /// Slots in words that are borrowed exclusively.
    pub(super) fn exclusive(words: &'a mut [AtomicUsize], cpus: &PossibleCpus) -> Result<Self, SlotsError> {
        Self::over(words, cpus)
    }

    /// How many slots there are.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "there is always a slot")]
    pub fn len(self) -> usize {
        self.len
    }

    /// The values of the slots, in order, each read when the iterator reaches it.
    pub fn values(self) -> impl Iterator<Item = usize> + Clone + 'a {
        self.words().map(|word| word.load(Ordering::Relaxed))
    }

    /// The first slot, for sections of your own: `len` words that lie `STRIDE` bytes apart, each valid for `'a`. They
    /// are written by sections with the index `K` only, each in the slot of its index.
    #[inline]
    pub fn as_ptr(self) -> *mut usize {
        self.words.as_ptr().cast_mut().cast()
    }

    /// The words of the slots. Writing one while sections run loses updates.
    pub(super) fn words(self) -> impl Iterator<Item = &'a AtomicUsize> + Clone {
        self.words.iter().step_by(Self::WORDS).take(self.len)
    }

    /// The word of the slot `index`.
    pub(super) fn word(self, index: u32) -> Option<&'a AtomicUsize> {
        self.words.get((index as usize).checked_mul(Self::WORDS)?)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    fn cpus(count: usize) -> PossibleCpus {
        let list = std::format!("0-{}", count - 1);
        PossibleCpus::parse(list.as_bytes()).unwrap()
    }

    #[repr(align(64))]
    struct Line<const N: usize>([AtomicUsize; N]);

    fn line() -> Line<16> {
        Line([const { AtomicUsize::new(0) }; 16])
    }

    #[test]
    fn too_few_slots_are_refused() {
        let mut memory = line();
        let slots = 16 / Slots::<ByCpu, 64>::WORDS;
        assert_eq!(Slots::<ByCpu>::new(&mut memory.0, &cpus(slots)).unwrap().len(), slots);
        let refused = Slots::<ByCpu>::new(&mut memory.0, &cpus(slots + 1)).unwrap_err();
        assert_eq!(refused, SlotsError::TooFew { needed: slots + 1, given: slots });
        let none = Slots::<ByCpu>::new(&mut [], &cpus(1)).unwrap_err();
        assert_eq!(none, SlotsError::TooFew { needed: 1, given: 0 });
    }

    #[test]
    fn each_kind_needs_its_own_number() {
        let (mut memory, gaps) = (line(), PossibleCpus::parse(b"0,2").unwrap());
        let two = &mut memory.0[..2 * Slots::<ByCpu, 64>::WORDS];
        assert_eq!(Slots::<crate::ByMmCid>::new(two, &gaps).map(Slots::len), Ok(2));
        let refused = Slots::<ByCpu>::new(two, &gaps).unwrap_err();
        assert_eq!(refused, SlotsError::TooFew { needed: 3, given: 2 });
    }

    #[test]
    fn shared_slots_are_checked_alike() {
        let memory = line();
        let slots = 16 / Slots::<ByCpu, 64>::WORDS;
        // SAFETY: no section runs.
        let shared = |words, count| unsafe { Slots::<ByCpu>::shared(words, &cpus(count)) };
        assert_eq!(shared(&memory.0, slots).unwrap().len(), slots);
        assert!(shared(&memory.0, slots + 1).is_err());
        assert_eq!(shared(&memory.0[1..], 1).unwrap_err(), SlotsError::Misaligned(64));
    }

    #[test]
    fn slots_that_share_cache_lines_are_refused() {
        let mut memory = line();
        assert_eq!(Slots::<ByCpu>::new(&mut memory.0[1..], &cpus(1)).unwrap_err(), SlotsError::Misaligned(64));
        assert!(Slots::<ByCpu, { WORD }>::new(&mut memory.0[1..], &cpus(1)).is_ok());
    }
}
