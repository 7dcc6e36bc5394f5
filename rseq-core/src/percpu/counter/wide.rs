//! The cells of a counter where a word has 64 bits: one word for each index, and one that all share.

use super::shared::Shared;
use crate::Index;
use crate::ops::this_cpu;
use crate::percpu::copies::Copies;
use crate::percpu::memory::STRIDE;
use core::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug)]
pub(super) struct Cells<K: Index> {
    copies: Copies<AtomicUsize, K>,
    fallback: Shared,
}

impl<K: Index> Cells<K> {
    pub(super) const fn new() -> Self {
        Self { copies: Copies::new(), fallback: Shared::new() }
    }

    #[inline]
    pub(super) fn add(&self, count: u64) {
        let done = self.copies.run(move |token, base, len| {
            // SAFETY: `base` is the first of `len` words that lie STRIDE bytes apart, as `Copies` says.
            unsafe { this_cpu::add::<STRIDE, _, _>(token, base.cast(), len, count as usize) }
        });
        if done.is_none() {
            self.fallback.add(count);
        }
    }

    #[inline]
    pub(super) fn inc(&self) {
        let done = self.copies.run(move |token, base, len| {
            // SAFETY: `base` is the first of `len` words that lie STRIDE bytes apart, as `Copies` says.
            unsafe { this_cpu::inc::<STRIDE, _, _>(token, base.cast(), len) }
        });
        if done.is_none() {
            self.fallback.add(1);
        }
    }

    pub(super) fn sum(&self) -> u64 {
        let cells = self.copies.iter().map(|cell| cell.load(Ordering::Relaxed) as u64);
        cells.fold(self.fallback.load(), u64::wrapping_add)
    }
}
