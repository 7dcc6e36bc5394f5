//! A counter that each CPU adds to in its own slot.

use super::{Slots, UniqueIn};
use crate::ops::this_cpu;
use crate::{Area, ByCpu, Index, OutOfRange, Token};
use core::marker::PhantomData;
use core::sync::atomic::Ordering;

/// A counter with a slot for each index: adding is a plain instruction, reading sums up.
///
/// ```
/// use rseq_core::percpu::{CacheAligned, Counter, PossibleCpus, Slots};
///
/// static HITS: CacheAligned<{ 64 * 8 }> = CacheAligned::new();
///
/// let cpus = PossibleCpus::read()?;
/// # if cpus.slots_by_cpu() > 64 { return Ok(()); }
/// let hits: Counter = Counter::new(Slots::new(&HITS, cpus.slots_by_cpu())?);
/// # let kernel = rseq_core::KernelRseq::SILENT;
/// # let Ok(registration) = rseq_core::Registration::adopt(kernel) else { return Ok(()) };
/// let token = registration.token();
/// hits.add(token, 3)?;
/// hits.increment(token)?;
/// assert_eq!(hits.sum(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a, K = ByCpu, const STRIDE: usize = 64> {
    slots: Slots<'a, STRIDE>,
    kind: PhantomData<K>,
}

impl<'a, K: Index, const STRIDE: usize> Counter<'a, K, STRIDE> {
    /// A counter over `slots`, whose words it takes as they are. Over slots that processes share it counts all of theirs, by
    /// CPU only: see [`UniqueIn`].
    pub const fn new<S>(slots: Slots<'a, STRIDE, S>) -> Self
    where
        K: UniqueIn<S>,
    {
        Self { slots: slots.separated(), kind: PhantomData }
    }

    /// Adds `count` (wrapping) to the slot of this thread's index.
    ///
    /// The type says which index the slots go by, since two CPUs may share a slot if one adds by CPU and the other by
    /// concurrency ID.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] where the index has no slot, or the thread's registration has ended.
    #[inline]
    pub fn add<A: Area>(&self, token: Token<'_, A, K>, count: usize) -> Result<(), OutOfRange> {
        // SAFETY: `slots` are `len` slots of STRIDE bytes, each beginning with an atomic word that lives for 'a.
        unsafe { this_cpu::add::<STRIDE, A, K>(token, self.slots.base(), self.slots.len(), count) }.map(|_| ())
    }

    /// Adds one (wrapping) to the slot of this thread's index, faster than [`add`](Self::add) does.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    #[inline]
    pub fn increment<A: Area>(&self, token: Token<'_, A, K>) -> Result<(), OutOfRange> {
        // SAFETY: as for `add`: the slots are of this length and stride, and live for 'a.
        unsafe { this_cpu::inc::<STRIDE, A, K>(token, self.slots.base(), self.slots.len()) }.map(|_| ())
    }

    /// The sum of all slots (wrapping). Additions that run at the same time may or may not be in it.
    pub fn sum(&self) -> usize {
        self.slots.iter().fold(0, |sum, slot| sum.wrapping_add(slot.load(Ordering::Relaxed)))
    }
}
