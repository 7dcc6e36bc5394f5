//! How often which values were recorded.

mod buckets;
mod snapshot;

use super::counter::Counters;
use crate::{ByCpu, Index};
pub use snapshot::Snapshot;

/// Counts values of 64 bits in buckets, from any thread at the cost of a counter and a few instructions: latencies,
/// sizes.
///
/// Values below 16 have a bucket each. Above, there are eight buckets for each power of two, as in an HDR histogram, so
/// a bucket is at most an eighth of its lowest value wide. [`ALL`](Histogram::ALL) buckets, 496, are those for every
/// value. With fewer, the last one also takes what is higher: 160 buckets reach to 4 million, so that microseconds
/// reach to four seconds.
///
/// The buckets of a CPU lie packed: 4 KiB for 496.
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

    /// What has been recorded since the last [`reset`](Self::reset). Values that are recorded at the same time may or
    /// may not be in it.
    pub fn snapshot(&self) -> Snapshot<BUCKETS> {
        Snapshot::from_counts(self.counters.sums())
    }

    /// Begins anew, and returns what has been recorded. Every value is in exactly one of them.
    pub fn reset(&self) -> Snapshot<BUCKETS> {
        Snapshot::from_counts(self.counters.reset_all())
    }
}

impl<const BUCKETS: usize, K: Index> Default for Histogram<BUCKETS, K> {
    fn default() -> Self {
        Self::new()
    }
}
