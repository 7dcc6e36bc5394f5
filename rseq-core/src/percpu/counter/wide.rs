//! The cells of counters where a word has 64 bits: a word for each index, and one that all share.

use super::shared_word::Shared;
use crate::Index;
use crate::ops::this_cpu;
use crate::percpu::copies::Copies;
use crate::percpu::memory::STRIDE;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

/// `N` cells.
#[derive(Debug)]
pub(super) struct Cells<const N: usize, K: Index> {
    copies: Copies<[AtomicUsize; N], K>,
    fallback: [Shared; N],
}

impl<const N: usize, K: Index> Cells<N, K> {
    pub(super) const fn new() -> Self {
        Self { copies: Copies::new(), fallback: [const { Shared::new() }; N] }
    }

    /// Adds to a cell, if there is one of this number.
    #[inline]
    pub(super) fn add(&self, cell: usize, count: u64) {
        let Some(fallback) = self.fallback.get(cell) else { return };
        let done = self.copies.run(move |token, base, len| {
            let base = base.cast::<usize>().wrapping_add(cell);
            // SAFETY: `base` is the first of `len` words that lie STRIDE bytes apart: word `cell`, which is below N, of
            // the copies of N words that `Copies` has.
            unsafe { this_cpu::add::<STRIDE, _, _>(token, base, len, count as usize) }
        });
        if done.is_none() {
            fallback.add(count);
        }
    }

    #[inline]
    pub(super) fn inc(&self, cell: usize) {
        let Some(fallback) = self.fallback.get(cell) else { return };
        let done = self.copies.run(move |token, base, len| {
            let base = base.cast::<usize>().wrapping_add(cell);
            // SAFETY: `base` is the first of `len` words that lie STRIDE bytes apart, as in `add`.
            unsafe { this_cpu::inc::<STRIDE, _, _>(token, base, len) }
        });
        if done.is_none() {
            fallback.add(1);
        }
    }

    /// The sums of `M` cells from `first` on. Loads after it see at least what the sums include.
    pub(super) fn sums<const M: usize>(&self, first: usize) -> [u64; M] {
        let mut sums = [0u64; M];
        for (sum, fallback) in sums.iter_mut().zip(self.fallback.iter().skip(first)) {
            *sum = fallback.load();
        }
        for copy in self.copies.iter() {
            for (sum, word) in sums.iter_mut().zip(copy.iter().skip(first)) {
                *sum = sum.wrapping_add(word.load(Ordering::Relaxed) as u64);
            }
        }
        // A thread that looks for a reset afterwards sees one that began before a word was read.
        fence(Ordering::Acquire);
        sums
    }
}
