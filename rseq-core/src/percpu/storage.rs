//! Memory for slots, whose type says how it is used.

use super::{PossibleCpus, Slots, SlotsError};
use crate::{ByCpu, Index};
use core::fmt;
use core::marker::PhantomData;
use core::mem::size_of;
use core::slice;
use core::sync::atomic::{AtomicU8, AtomicUsize};

/// Memory for `SLOTS` slots with the index `K`, which are `STRIDE` bytes apart and initially 0: for a static, or on a
/// stack.
///
/// By CPU, a CPU with the number `n` needs `n + 1` slots. 1024 slots of 64 bytes are 64 KiB. A static with more slots
/// than the machine needs costs address space only, as no memory backs pages that no CPU writes.
///
/// The type fixes the kind and the stride, so all users of a static agree on them:
///
/// ```compile_fail,E0308
/// # use rseq_core::{ByMmCid, percpu::{SlotCounter, PossibleCpus, SlotStorage}};
/// static HITS: SlotStorage<1024> = SlotStorage::new();
///
/// let by_mm_cid: SlotCounter<'_, ByMmCid> = SlotCounter::new(HITS.slots(&PossibleCpus::read()?)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Examples
///
/// ```
/// use rseq_core::ByMmCid;
/// use rseq_core::percpu::{SlotCounter, PossibleCpus, SlotStorage};
///
/// static BY_CPU: SlotStorage<1024> = SlotStorage::new();
/// static BY_MM_CID: SlotStorage<1024, ByMmCid, 128> = SlotStorage::new();
///
/// let cpus = PossibleCpus::read()?;
/// let counter = SlotCounter::new(BY_CPU.slots(&cpus)?);
/// let by_mm_cid = SlotCounter::new(BY_MM_CID.slots(&cpus)?);
/// assert_eq!((counter.sum(), by_mm_cid.sum()), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[repr(C, align(64))]
pub struct SlotStorage<const SLOTS: usize, K = ByCpu, const STRIDE: usize = 64> {
    slots: [[AtomicU8; STRIDE]; SLOTS],
    kind: PhantomData<K>,
}

impl<const SLOTS: usize, K: Index, const STRIDE: usize> SlotStorage<SLOTS, K, STRIDE> {
    /// Slots of 0.
    pub const fn new() -> Self {
        Self { slots: [const { [const { AtomicU8::new(0) }; STRIDE] }; SLOTS], kind: PhantomData }
    }

    /// The slots, of which there is at least one for each index that a thread can have on `cpus`.
    ///
    /// # Errors
    ///
    /// [`SlotsError::TooFew`].
    pub fn slots(&self, cpus: &PossibleCpus) -> Result<Slots<'_, K, STRIDE>, SlotsError> {
        Slots::of(self, cpus)
    }

    /// Every access goes through words: no byte is accessed as such.
    pub(super) fn words(&self) -> &[AtomicUsize] {
        let words = SLOTS * Slots::<K, STRIDE>::WORDS;
        // SAFETY: the array is SLOTS * STRIDE initialised bytes, STRIDE a multiple of a word (`WORDS` checks it), and
        // the type is aligned to 64 bytes. Any bytes are a valid AtomicUsize, and both types have interior mutability.
        unsafe { slice::from_raw_parts(self.slots.as_ptr().cast(), words) }
    }
}

impl<const SLOTS: usize, K: Index, const STRIDE: usize> Default for SlotStorage<SLOTS, K, STRIDE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SLOTS: usize, K, const STRIDE: usize> fmt::Debug for SlotStorage<SLOTS, K, STRIDE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotStorage").field("slots", &SLOTS).field("stride", &STRIDE).finish_non_exhaustive()
    }
}

const _: () = assert!(size_of::<SlotStorage<3>>() == 3 * 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_slots_that_it_says() {
        let storage = SlotStorage::<3>::new();
        let slots = |list: &[u8]| storage.slots(&PossibleCpus::parse(list).unwrap());
        assert_eq!(slots(b"0-2").map(Slots::len), Ok(3));
        assert_eq!(slots(b"0,3").map(Slots::len), Err(SlotsError::TooFew { needed: 4, given: 3 }));
    }

    #[test]
    fn slots_of_it_are_the_same_words() {
        let storage = SlotStorage::<2, ByCpu, 128>::new();
        let cpus = PossibleCpus::parse(b"0-1").unwrap();
        let (one, other) = (storage.slots(&cpus).unwrap(), storage.slots(&cpus).unwrap());
        assert_eq!(one.as_ptr(), other.as_ptr());
        assert_eq!(one.word(1).unwrap().as_ptr(), one.as_ptr().wrapping_byte_add(128));
    }
}
