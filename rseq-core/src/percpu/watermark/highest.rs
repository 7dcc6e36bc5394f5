//! The highest of the numbers that all CPUs have recorded.

use crate::ops::this_cpu::Error;
use crate::percpu::copies::Copies;
use crate::percpu::counter::Shared;
use crate::percpu::memory::STRIDE;
use crate::{Index, OutOfRange};
use core::sync::atomic::{AtomicUsize, Ordering};

mod sections {
    use crate::{Committed, CompareFailed, OutOfRange};

    __watermark_sections!();
}

/// A word for each index, and 64 bits that all CPUs share. All are 0 at first.
#[derive(Debug)]
pub(super) struct Highest<K: Index> {
    copies: Copies<AtomicUsize, K>,
    fallback: Shared,
}

impl<K: Index> Highest<K> {
    pub(super) const fn new() -> Self {
        Self { copies: Copies::new(), fallback: Shared::new() }
    }

    /// Raises this index's word to `word`. Where no section can do so, raises the shared bits to `wide`.
    #[inline]
    pub(super) fn raise(&self, word: usize, wide: u64) {
        let done = self.copies.run(move |token, base, len| {
            // SAFETY: `base` is the first of `len` words that lie STRIDE bytes apart, as `Copies` has them.
            match unsafe { sections::raise::<STRIDE, _, _>(token, base.cast(), len, word) } {
                Err(Error::OutOfRange) => Err(OutOfRange),
                _ => Ok(()),
            }
        });
        if done.is_none() {
            self.raise_shared(wide);
        }
    }

    /// Raises the shared bits to `wide`.
    pub(super) fn raise_shared(&self, wide: u64) {
        self.fallback.raise(wide);
    }

    /// The highest of the words and the shared bits.
    pub(super) fn get(&self) -> (usize, u64) {
        let words = self.copies.iter().map(|word| word.load(Ordering::Relaxed));
        (words.max().unwrap_or(0), self.fallback.load())
    }

    /// The same, and resets all of them to 0.
    ///
    /// A number that is recorded at the same time is either in the result or remains. A section changes its word by one
    /// store, which does not depend on the previous value: before the exchange, the result includes the number; after
    /// it, the number is the new value. If the section changes nothing, it has read a word as high as the number.
    /// Either the exchange took that word, or it was stored after the exchange.
    pub(super) fn take(&self) -> (usize, u64) {
        // A word of 0 is not written: its page may never have been touched.
        let take = |word: &AtomicUsize| match word.load(Ordering::Relaxed) {
            0 => 0,
            _ => word.swap(0, Ordering::Relaxed),
        };
        (self.copies.iter().map(take).max().unwrap_or(0), self.fallback.take())
    }
}
