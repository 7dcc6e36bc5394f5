//! A counter that each CPU adds to in its own slot.

use super::Slots;
use super::error::{IndexError, in_slot};
use crate::ops::this_cpu;
use crate::{Area, ByCpu, Index, OutOfRange, Token};

/// A counter with a slot for each index: adding is a plain instruction, reading sums the slots.
///
/// `K` is the index of its slots: [`ByCpu`], or [`ByMmCid`](crate::ByMmCid), whose numbers are as few as the
/// threads that run at once. Operations take a token by the same index.
///
/// # Examples
///
/// By CPU, in a static:
///
/// ```
/// use rseq_core::percpu::{SlotCounter, PossibleCpus, SlotStorage};
/// # use rseq_core::Registration;
///
/// static HITS: SlotStorage<1024> = SlotStorage::new();
///
/// let hits = SlotCounter::new(HITS.slots(&PossibleCpus::read()?)?);
/// # let Ok(registration) = Registration::adopt() else { return Ok(()) };
/// let token = registration.token();
/// hits.add(token, 3)?;
/// hits.increment(token)?;
/// assert_eq!(hits.sum(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// By concurrency ID, in memory of the program's own, where the kernel maintains it:
///
/// ```
/// use core::sync::atomic::AtomicUsize;
/// use rseq_core::percpu::{SlotCounter, PossibleCpus, Slots};
/// use rseq_core::ByMmCid;
/// # use rseq_core::Registration;
///
/// let cpus = PossibleCpus::read()?;
/// const STRIDE: usize = size_of::<usize>(); // dense: slots share cache lines
/// let mut words = Vec::new();
/// words.resize_with(cpus.slots_by_mm_cid(), AtomicUsize::default);
/// let counter = SlotCounter::new(Slots::<ByMmCid, STRIDE>::new(&mut words, &cpus)?);
/// # let Ok(registration) = Registration::adopt() else { return Ok(()) };
/// if let Some(token) = registration.token().by_mm_cid() {
///     counter.increment(token)?;
///     assert_eq!(counter.sum(), 1);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SlotCounter<'a, K = ByCpu, const STRIDE: usize = 64> {
    slots: Slots<'a, K, STRIDE>,
}

impl<'a, K: Index, const STRIDE: usize> SlotCounter<'a, K, STRIDE> {
    /// A counter over `slots`, whose words keep their values. Counters over copies of the same slots count together,
    /// and over slots that processes share, a counter has the additions of all of them.
    pub const fn new(slots: Slots<'a, K, STRIDE>) -> Self {
        Self { slots }
    }

    /// Adds `count` (wrapping) to the slot of this thread's index.
    ///
    /// # Errors
    ///
    /// [`IndexError`] if the index has no slot or the thread's registration has ended.
    #[inline]
    pub fn add<A: Area>(&self, token: Token<'_, A, K>, count: usize) -> Result<(), IndexError> {
        let (base, len) = (self.slots.as_ptr(), self.slots.len());
        // SAFETY: `base` is the first of `len` slots of STRIDE bytes, each beginning with an atomic word that lives for
        // 'a: `Slots` holds them.
        in_slot!(token, len, unsafe { this_cpu::add::<STRIDE, A, K>(token, base, len, count) }).map(|_| ())
    }

    /// Adds one (wrapping) to the slot of this thread's index, faster than [`add`](Self::add) does.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    #[inline]
    pub fn increment<A: Area>(&self, token: Token<'_, A, K>) -> Result<(), IndexError> {
        let (base, len) = (self.slots.as_ptr(), self.slots.len());
        // SAFETY: `base` is the first of `len` slots of STRIDE bytes, each beginning with an atomic word that lives for
        // 'a: `Slots` holds them.
        in_slot!(token, len, unsafe { this_cpu::inc::<STRIDE, A, K>(token, base, len) }).map(|_| ())
    }

    /// The sum of all slots (wrapping). Additions that run at the same time may or may not be in it.
    pub fn sum(&self) -> usize {
        self.slots.values().fold(0, usize::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OwnArea;
    use crate::percpu::{PossibleCpus, SlotStorage};

    /// The own area of a program whose libc registers, or of a thread that has not registered.
    #[test]
    fn an_unregistered_thread_is_named() {
        let storage = SlotStorage::<8>::new();
        let counter = SlotCounter::new(storage.slots(&PossibleCpus::parse(b"0-7").unwrap()).unwrap());
        assert_eq!(counter.add(Token::new(OwnArea), 1), Err(IndexError::NotRegistered));
        assert_eq!(counter.increment(Token::new(OwnArea)), Err(IndexError::NotRegistered));
        assert_eq!(counter.sum(), 0);
    }
}
