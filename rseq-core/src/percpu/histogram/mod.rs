//! How often each value was recorded.

mod buckets;
mod snapshot;

use super::counter::Counters;
use crate::{ByCpu, Index};
pub use snapshot::Snapshot;

/// Counts values of 64 bits, such as latencies and sizes, in buckets. Any thread records a value at the cost of a
/// counter and a few instructions.
///
/// Values below 16 have a bucket each. Above, there are eight buckets for each power of two, as in an HDR histogram, so
/// a bucket is at most an eighth of its lowest value wide. [`ALL`](Histogram::ALL) buckets, 496, cover every value.
/// With fewer, the last one also takes all higher values: 160 buckets reach 4 million, which is four seconds in
/// microseconds.
///
/// The buckets of a CPU are packed: 4 KiB for 496.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::Histogram;
///
/// static MICROS: Histogram<160> = Histogram::new();
///
/// for micros in 1..=1000 {
///     MICROS.record(micros);
/// }
/// let snapshot = MICROS.snapshot();
/// assert_eq!(snapshot.count(), 1000);
/// let median = snapshot.quantile(0.5).unwrap();
/// assert!(median.contains(&500), "{median:?}");
/// println!("{snapshot}");
/// ```
#[derive(Debug)]
pub struct Histogram<const BUCKETS: usize = { buckets::ALL }, K: Index = ByCpu> {
    counters: Counters<BUCKETS, K>,
}

impl Histogram {
    /// The number of buckets for all values.
    pub const ALL: usize = buckets::ALL;
}

impl<const BUCKETS: usize, K: Index> Histogram<BUCKETS, K> {
    /// A histogram without values. It has no slots before the first one.
    pub const fn new() -> Self {
        const { assert!(BUCKETS > 0 && BUCKETS <= buckets::ALL, "a histogram has from 1 to 496 buckets") };
        Self { counters: Counters::new() }
    }

    /// Records a value.
    #[inline]
    pub fn record(&self, value: u64) {
        self.counters.inc(Self::bucket(value));
    }

    /// Records a value `times` times.
    #[inline]
    pub fn record_n(&self, value: u64, times: u64) {
        self.counters.add(Self::bucket(value), times);
    }

    #[inline]
    fn bucket(value: u64) -> usize {
        buckets::bucket(value).min(BUCKETS - 1)
    }

    /// The values recorded since the last [`reset`](Self::reset). Values that are recorded at the same time may or may
    /// not be included.
    pub fn snapshot(&self) -> Snapshot<BUCKETS> {
        Snapshot::from_counts(self.counters.sums())
    }

    /// Begins anew, and returns the values recorded before. Every value is in exactly one of the two.
    pub fn reset(&self) -> Snapshot<BUCKETS> {
        Snapshot::from_counts(self.counters.reset_all())
    }
}

impl<const BUCKETS: usize, K: Index> Default for Histogram<BUCKETS, K> {
    fn default() -> Self {
        Self::new()
    }
}
