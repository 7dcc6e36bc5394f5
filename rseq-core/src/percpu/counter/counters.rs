//! Counts that lie side by side in one item of per-CPU memory.

use super::cells::Cells;
use super::shared_word::Shared;
use crate::Index;
use crate::percpu::memory::STRIDE;
use core::array;

/// `N` counts. Those of one CPU lie side by side, up to eight words of 64 bits or sixteen of 32 in a cache line.
#[doc(hidden)]
#[derive(Debug)]
pub struct Counters<const N: usize, K: Index> {
    cells: Cells<N, K>,
    /// The counts at the last reset.
    zeros: [Shared; N],
}

impl<const N: usize, K: Index> Counters<N, K> {
    #[allow(clippy::new_without_default, reason = "it is public for the macro of groups only")]
    pub const fn new() -> Self {
        const { assert!(N * size_of::<usize>() <= STRIDE / 2, "so many counts do not fit into per-CPU memory") };
        Self { cells: Cells::new(), zeros: [const { Shared::new() }; N] }
    }

    /// Adds `count` to count number `i`, if there is one.
    #[inline]
    pub(in crate::percpu) fn add(&self, i: usize, count: u64) {
        self.cells.add(i, count);
    }

    #[inline]
    pub(in crate::percpu) fn inc(&self, i: usize) {
        self.cells.inc(i);
    }

    /// Count number `i` since its last reset.
    pub(in crate::percpu) fn sum(&self, i: usize) -> u64 {
        let [sum] = self.sums_from(i);
        sum
    }

    /// All counts since their last resets.
    pub(in crate::percpu) fn sums(&self) -> [u64; N] {
        self.sums_from(0)
    }

    fn sums_from<const M: usize>(&self, first: usize) -> [u64; M] {
        loop {
            let zeros = self.zeros_from::<M>(first);
            let sums = self.cells.sums::<M>(first);
            if self.zeros_from(first) == zeros {
                let mut differences = sums.iter().zip(zeros).map(|(sum, zero)| sum.wrapping_sub(zero));
                return array::from_fn(|_| differences.next().unwrap_or(0));
            }
        }
    }

    fn zeros_from<const M: usize>(&self, first: usize) -> [u64; M] {
        let mut zeros = self.zeros.iter().skip(first);
        array::from_fn(|_| zeros.next().map_or(0, Shared::load))
    }

    /// Begins count number `i` anew, and returns the previous count.
    pub(in crate::percpu) fn reset(&self, i: usize) -> u64 {
        let Some(zero) = self.zeros.get(i) else { return 0 };
        loop {
            let old = zero.load();
            let [sum] = self.cells.sums(i);
            if zero.replace(old, sum) {
                return sum.wrapping_sub(old);
            }
        }
    }
    /// Begins all counts anew, one after the other, and returns the previous ones.
    pub(in crate::percpu) fn reset_all(&self) -> [u64; N] {
        array::from_fn(|i| self.reset(i))
    }
}
