//! Which values go into which bucket: the same number of buckets for each power of two.

use core::ops::RangeInclusive;

/// Buckets for each power of two: a bucket is at most an eighth of its values wide.
const PER_POWER: u64 = 1 << BITS;
const BITS: u32 = 3;

/// Buckets for all values of 64 bits.
pub(super) const ALL: usize = ((64 - BITS + 1) << BITS) as usize;

/// The bucket of a value, if there were buckets for all.
#[inline]
pub(super) fn bucket(value: u64) -> usize {
    if value < PER_POWER {
        return value as usize;
    }
    // The value is from 2^(shift + BITS) on, and has BITS bits below its highest one before the shift.
    let shift = value.ilog2() - BITS;
    ((shift as usize) << BITS) + (value >> shift) as usize
}

/// The values of a bucket; the last of `buckets` has no upper end.
pub(super) fn values(bucket: usize, buckets: usize) -> RangeInclusive<u64> {
    let end = if bucket + 1 >= buckets { u64::MAX } else { first(bucket + 1).wrapping_sub(1) };
    first(bucket)..=end
}

/// The lowest value of a bucket.
fn first(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let Some(shift) = (bucket >> BITS).checked_sub(1) else { return bucket };
    (PER_POWER + bucket % PER_POWER).checked_shl(shift as u32).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_on_each_other() {
        let mut next = 0u64;
        for bucket in 0..ALL {
            let values = values(bucket, ALL);
            assert_eq!(*values.start(), next);
            assert_eq!((super::bucket(next), super::bucket(*values.end())), (bucket, bucket));
            assert!((values.end() - values.start()) <= next / 8);
            next = values.end().wrapping_add(1);
        }
        assert_eq!(next, 0, "the last bucket ends with the last value");
    }

    proptest! {
        #[test]
        fn a_value_is_in_its_bucket(value in any::<u64>(), shift in 0u32..64, buckets in 1..ALL) {
            let value = value >> shift;
            let bucket = bucket(value).min(buckets - 1);
            prop_assert!(values(bucket, buckets).contains(&value));
        }
    }
}
