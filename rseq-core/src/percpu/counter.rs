//! A counter that each CPU adds to in its own slot.

use super::{Separates, Slots};
use crate::section::here::{add_here, increment_here};
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
/// # let Ok(registration) = rseq_core::Registration::adopt() else { return Ok(()) };
/// let token = registration.token();
/// hits.add(token, token.cpu_index(), 3)?;
/// hits.increment(token, token.cpu_index())?;
/// assert_eq!(hits.sum(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a, K = ByCpu, const STRIDE: usize = 64> {
    slots: Slots<'a, STRIDE>,
    kind: PhantomData<K>,
}

impl<'a, K, const STRIDE: usize> Counter<'a, K, STRIDE> {
    /// A counter over `slots`, whose words it takes as they are. Over slots that processes share it counts all of theirs, by
    /// CPU only: see [`Separates`].
    pub const fn new<S>(slots: Slots<'a, STRIDE, S>) -> Self
    where
        K: Separates<S>,
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
    pub fn add<A: Area, I: Index<Kind = K>>(
        &self,
        token: Token<'_, A>,
        index: I,
        count: usize,
    ) -> Result<(), OutOfRange> {
        // SAFETY: `slots` are `len` slots of STRIDE bytes, each beginning with an atomic word that lives for 'a.
        unsafe { add_here::<STRIDE, A, I>(token, index, self.slots.base(), self.slots.len(), count) }.map(|_| ())
    }

    /// Adds one (wrapping) to the slot of this thread's index, faster than [`add`](Self::add) does.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    #[inline]
    pub fn increment<A: Area, I: Index<Kind = K>>(&self, token: Token<'_, A>, index: I) -> Result<(), OutOfRange> {
        // SAFETY: as for `add`: the slots are of this length and stride, and live for 'a.
        unsafe { increment_here::<STRIDE, A, I>(token, index, self.slots.base(), self.slots.len()) }.map(|_| ())
    }

    /// The sum of all slots (wrapping). Additions that run at the same time may or may not be in it.
    pub fn sum(&self) -> usize {
        self.slots.iter().fold(0, |sum, slot| sum.wrapping_add(slot.load(Ordering::Relaxed)))
    }
}
