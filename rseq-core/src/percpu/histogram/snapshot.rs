//! The counts of a histogram at one moment.

use super::buckets;
use core::fmt;
use core::ops::{AddAssign, RangeInclusive};

/// How many values each bucket of a [`Histogram`](super::Histogram) has. Several snapshots can be added up.
///
/// It displays as a table that shows the values, the count and a bar of each bucket that is not empty.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::{Histogram, Snapshot};
///
/// static READS: Histogram<160> = Histogram::new();
/// static WRITES: Histogram<160> = Histogram::new();
///
/// READS.record(10);
/// WRITES.record_n(100, 2);
/// let mut both = Snapshot::new();
/// both += READS.snapshot();
/// both += WRITES.snapshot();
/// assert_eq!(both.count(), 3);
/// assert_eq!((both.min(), both.max()), (Some(10), Some(103)));
/// assert_eq!(both.buckets().next(), Some((10..=10, 1)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot<const BUCKETS: usize> {
    counts: [u64; BUCKETS],
}

impl<const BUCKETS: usize> Snapshot<BUCKETS> {
    /// One without values.
    pub const fn new() -> Self {
        Self { counts: [0; BUCKETS] }
    }

    pub(super) fn from_counts(counts: [u64; BUCKETS]) -> Self {
        Self { counts }
    }

    /// Adds the values of another one.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.wrapping_add(*more);
        }
    }

    /// The number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().copied().fold(0, u64::wrapping_add)
    }

    /// The buckets that are not empty, from the lowest up: the values of each, and its count.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = (RangeInclusive<u64>, u64)> {
        let numbered = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        numbered.map(|(bucket, &count)| (buckets::values(bucket, BUCKETS), count))
    }

    /// The lower bound of the lowest bucket that is not empty: no value is below it.
    pub fn min(&self) -> Option<u64> {
        self.buckets().next().map(|(values, _)| *values.start())
    }

    /// The upper bound of the highest bucket that is not empty: no value is above it. For the last bucket it is
    /// `u64::MAX`.
    pub fn max(&self) -> Option<u64> {
        self.buckets().next_back().map(|(values, _)| *values.end())
    }

    /// The bucket that holds the quantile `fraction`: 0.5 for the median, 0.99 for the 99th percentile. `fraction` is
    /// clamped to 0 to 1. None if there are no values.
    pub fn quantile(&self, fraction: f64) -> Option<RangeInclusive<u64>> {
        let count = self.count();
        let wanted = fraction.clamp(0.0, 1.0) * count as f64;
        // Rounded up, but for the error of the multiplication; the first value at least.
        let floor = wanted as u64;
        let rank = if wanted - floor as f64 > 1e-9 * wanted { floor.saturating_add(1) } else { floor };
        self.of_rank(rank.clamp(1, count.max(1)))
    }

    /// The bucket of the value with this rank, from 1, in ascending order.
    fn of_rank(&self, rank: u64) -> Option<RangeInclusive<u64>> {
        let mut seen = 0u64;
        self.buckets().find_map(|(values, count)| {
            seen = seen.saturating_add(count);
            (seen >= rank).then_some(values)
        })
    }
}

impl<const BUCKETS: usize> Default for Snapshot<BUCKETS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BUCKETS: usize> AddAssign for Snapshot<BUCKETS> {
    fn add_assign(&mut self, other: Self) {
        self.merge(&other);
    }
}

/// Characters of the longest bar.
const BAR: u64 = 40;

impl<const BUCKETS: usize> fmt::Display for Snapshot<BUCKETS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.buckets().map(|(_, count)| count).max().unwrap_or(1);
        for (values, count) in self.buckets() {
            let bar = (u128::from(count) * u128::from(BAR)).div_ceil(u128::from(longest)) as usize;
            write!(f, "{:>12} ", values.start())?;
            match *values.end() {
                u64::MAX => write!(f, ".. {:>12}", "")?,
                end => write!(f, "- {end:>13}")?,
            }
            writeln!(f, " {count:>12} {:#<bar$}", "")?;
        }
        for (name, fraction) in [("50 %", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999)] {
            if let Some(values) = self.quantile(fraction) {
                writeln!(f, "{name:>12} <= {}", values.end())?;
            }
        }
        write!(f, "{:>12} {}", "count", self.count())
    }
}
