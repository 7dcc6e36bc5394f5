//! A signed value that goes up and down.

use super::counter::Counters;
use crate::{ByCpu, Index};

/// A signed value that any thread raises and lowers at the cost of a plain addition: connections, bytes in use.
///
/// It is a [`Counter`](super::Counter) of 64 bits with a sign. What one CPU raises may be lowered on another.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::Gauge;
///
/// static CONNECTIONS: Gauge = Gauge::new();
///
/// CONNECTIONS.inc();
/// CONNECTIONS.add(3);
/// CONNECTIONS.sub(5);
/// assert_eq!(CONNECTIONS.value(), -1);
/// ```
#[derive(Debug)]
pub struct Gauge<K: Index = ByCpu> {
    counters: Counters<1, K>,
}

impl<K: Index> Gauge<K> {
    /// A gauge of 0. It has no slots before it is first changed.
    pub const fn new() -> Self {
        Self { counters: Counters::new() }
    }

    /// Raises the value by `amount`, lowers it if that is negative.
    #[inline]
    pub fn add(&self, amount: i64) {
        self.counters.add(0, amount as u64);
    }

    /// Lowers the value by `amount`, raises it if that is negative.
    #[inline]
    pub fn sub(&self, amount: i64) {
        self.counters.add(0, (amount as u64).wrapping_neg());
    }

    /// Raises the value by one.
    #[inline]
    pub fn inc(&self) {
        self.counters.inc(0);
    }

    /// Lowers the value by one.
    #[inline]
    pub fn dec(&self) {
        self.sub(1);
    }

    /// The sum of all changes. It wraps around.
    ///
    /// A change that runs at the same time may or may not be included, whatever the order of such changes: if a thread
    /// raises the value and then lowers it during the call, the sum may include the second change alone, and be below
    /// every value that there was.
    pub fn value(&self) -> i64 {
        self.counters.sum(0) as i64
    }
}

impl<K: Index> Default for Gauge<K> {
    fn default() -> Self {
        Self::new()
    }
}
