//! A counter that each CPU adds to in its own slot.

#[macro_use]
mod narrow_sections;

#[cfg(target_pointer_width = "64")]
#[path = "wide.rs"]
mod cells;
#[cfg(not(target_pointer_width = "64"))]
#[path = "narrow.rs"]
mod cells;
mod counters;
mod group;
mod shared_word;
#[cfg(test)]
mod tests;

use crate::{ByCpu, Index};
pub use counters::Counters;
pub use group::{CounterGroup, CounterMember, named_resets, named_sums};
pub(super) use shared_word::Shared;

/// An exact count, to which any thread adds at the cost of a plain addition.
///
/// Each CPU adds to its own slot. Where rseq is not available, or in a thread that is ending, an atomic instruction
/// adds to one more slot: [`status`](crate::status) says which applies. The slots of counters are packed, eight to a
/// cache line of 64 bytes, and no line belongs to two CPUs.
///
/// `K` is the index of the slots: [`ByCpu`], or [`ByMmCid`](crate::ByMmCid), with which a process with few
/// threads touches few slots.
///
/// Counts are 64 bits wide, on 32-bit machines too, and wrap around.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::Counter;
///
/// static REQUESTS: Counter = Counter::new();
///
/// std::thread::scope(|scope| {
///     for _ in 0..8 {
///         scope.spawn(|| REQUESTS.add(3));
///     }
/// });
/// assert_eq!(REQUESTS.sum(), 24);
/// assert_eq!(REQUESTS.reset(), 24);
/// assert_eq!(REQUESTS.sum(), 0);
/// ```
#[derive(Debug)]
pub struct Counter<K: Index = ByCpu> {
    counters: Counters<1, K>,
}

impl<K: Index> Counter<K> {
    /// A counter of 0. It has no slots before it is first added to.
    pub const fn new() -> Self {
        Self { counters: Counters::new() }
    }

    /// Adds `count`.
    #[inline]
    pub fn add(&self, count: u64) {
        self.counters.add(0, count);
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.counters.inc(0);
    }

    /// Subtracts `count`.
    #[inline]
    pub fn sub(&self, count: u64) {
        self.counters.add(0, count.wrapping_neg());
    }

    /// The count since the last [`reset`](Self::reset). Additions that run at the same time may or may not be included.
    pub fn sum(&self) -> u64 {
        self.counters.sum(0)
    }

    /// Begins a new count and returns the previous one. Every addition is in exactly one of them.
    pub fn reset(&self) -> u64 {
        self.counters.reset(0)
    }
}

impl<K: Index> Default for Counter<K> {
    fn default() -> Self {
        Self::new()
    }
}
