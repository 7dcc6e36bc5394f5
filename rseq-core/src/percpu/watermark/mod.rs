//! The highest and the lowest value that was recorded.

#[macro_use]
mod raise_section;

mod highest;

use crate::{ByCpu, Index};
use highest::Highest;

/// The highest value that any thread has recorded.
///
/// A CPU reads its slot, and writes it if the value is higher. Where a word has 32 bits, values from `u32::MAX` on use
/// the fallback, which is slower.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::Max;
///
/// static LONGEST: Max = Max::new();
///
/// std::thread::scope(|scope| {
///     for micros in [120, 4500, 80] {
///         scope.spawn(move || LONGEST.record(micros));
///     }
/// });
/// assert_eq!(LONGEST.value(), 4500);
/// assert_eq!(LONGEST.reset(), 4500);
/// assert_eq!(LONGEST.value(), 0);
/// ```
#[derive(Debug)]
pub struct Max<K: Index = ByCpu> {
    highest: Highest<K>,
}

impl<K: Index> Max<K> {
    /// No value. It has no slots before the first one.
    pub const fn new() -> Self {
        Self { highest: Highest::new() }
    }

    /// Records a value.
    #[inline]
    pub fn record(&self, value: u64) {
        match as_word(value) {
            Some(word) => self.highest.raise(word, value),
            None => self.highest.raise_shared(value),
        }
    }

    /// The highest value since the last [`reset`](Self::reset); 0 if there is none. A value that is recorded at the
    /// same time may or may not be included.
    pub fn value(&self) -> u64 {
        highest(self.highest.get())
    }

    /// Discards all values, and returns the highest one, or 0.
    ///
    /// Every value counts in exactly one of the two: in the result, or in the values from then on.
    pub fn reset(&self) -> u64 {
        highest(self.highest.take())
    }
}

impl<K: Index> Default for Max<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// The lowest value that any thread has recorded.
///
/// The opposite of [`Max`]. Where a word has 32 bits, values from `u32::MAX` on use the fallback, which is slower.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::Min;
///
/// static SHORTEST: Min = Min::new();
///
/// assert_eq!(SHORTEST.value(), u64::MAX);
/// SHORTEST.record(120);
/// SHORTEST.record(4500);
/// assert_eq!(SHORTEST.reset(), 120);
/// assert_eq!(SHORTEST.value(), u64::MAX);
/// ```
#[derive(Debug)]
pub struct Min<K: Index = ByCpu> {
    /// The highest complement.
    highest: Highest<K>,
}

impl<K: Index> Min<K> {
    /// No value. It has no slots before the first one.
    pub const fn new() -> Self {
        Self { highest: Highest::new() }
    }

    /// Records a value.
    #[inline]
    pub fn record(&self, value: u64) {
        match as_word(value) {
            Some(word) => self.highest.raise(!word, !value),
            None => self.highest.raise_shared(!value),
        }
    }

    /// The lowest value since the last [`reset`](Self::reset); `u64::MAX` if there is none. A value that is recorded at
    /// the same time may or may not be included.
    pub fn value(&self) -> u64 {
        lowest(self.highest.get())
    }

    /// Discards all values, and returns the lowest one, or `u64::MAX`, as [`Max::reset`].
    pub fn reset(&self) -> u64 {
        lowest(self.highest.take())
    }
}

impl<K: Index> Default for Min<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// A value below the highest word, as a word. The complement of the highest word is 0, which stands for no value.
#[inline]
fn as_word(value: u64) -> Option<usize> {
    usize::try_from(value).ok().filter(|&word| word != usize::MAX)
}

fn highest((word, wide): (usize, u64)) -> u64 {
    wide.max(word as u64)
}

/// The lowest value, from the highest complements: of words, where 0 is no value, and of 64 bits.
fn lowest((word, wide): (usize, u64)) -> u64 {
    let word = if word == 0 { u64::MAX } else { !word as u64 };
    word.min(!wide)
}
