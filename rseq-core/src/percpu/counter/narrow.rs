//! The cells of counters where a word has 32 bits: a small signed word for each index, and 64 bits that all share.
//!
//! An addition that would make a word too large moves the word's value to the shared bits. A reader starts over if that
//! happens while it reads, so a sum never misses a value in transit: `moves` is a sequence lock, and its writer is the
//! thread that moves. Additions write at most one of the two parts, so they need no lock against readers.

use super::shared_word::Shared;
use crate::ops::this_cpu::Error;
use crate::percpu::copies::Copies;
use crate::percpu::memory::STRIDE;
use crate::{Index, OutOfRange, sys};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};

/// Words are from -HALF to HALF - 1, and so are the counts that are added to them: a sum of two has 32 bits.
#[cfg(not(test))]
pub(super) const HALF: i64 = 1 << 30;
/// Small in tests, which also run this file with words of 64 bits, so that words are moved all the time.
#[cfg(test)]
pub(super) const HALF: i64 = 1 << 10;

mod sections {
    use crate::{Committed, CompareFailed, OutOfRange};

    #[cfg(not(test))]
    __narrow_counter_sections!(30);
    #[cfg(test)]
    __narrow_counter_sections!(10);
}

/// `N` cells.
#[derive(Debug)]
pub(super) struct Cells<const N: usize, K: Index> {
    copies: Copies<[AtomicUsize; N], K>,
    fallback: [Shared; N],
    /// Odd while a word is being moved.
    moves: AtomicU32,
    /// The process that last moved a word.
    mover: AtomicUsize,
}

impl<const N: usize, K: Index> Cells<N, K> {
    pub(super) const fn new() -> Self {
        Self {
            copies: Copies::new(),
            fallback: [const { Shared::new() }; N],
            moves: AtomicU32::new(0),
            mover: AtomicUsize::new(0),
        }
    }

    /// Adds to a cell, if there is one of this number.
    #[inline]
    pub(super) fn add(&self, cell: usize, count: u64) {
        let Some(fallback) = self.fallback.get(cell) else { return };
        let small = count as i64;
        let is_added = (-HALF..HALF).contains(&small) && self.add_to_word(cell, small as usize);
        if !is_added {
            fallback.add(count);
        }
    }

    #[cfg_attr(test, allow(dead_code, reason = "the tests add"))]
    #[inline]
    pub(super) fn inc(&self, cell: usize) {
        self.add(cell, 1);
    }

    /// Whether a section has added the count, which is small, to the cell, which is below `N`.
    #[inline]
    fn add_to_word(&self, cell: usize, count: usize) -> bool {
        let done = self.copies.run(move |token, base, len| {
            let base = base.cast::<usize>().wrapping_add(cell);
            // SAFETY: `base` is the first of `len` words that lie STRIDE bytes apart: word `cell`, which is below N, of
            // the copies of N words that `Copies` has. Words and `count` are small: `count` by the caller, and words
            // are 0 at first and changed by this section only.
            match unsafe { sections::add_small::<STRIDE, _, _>(token, base, len, count) } {
                Ok(_) => Ok(true),
                Err(Error::OutOfRange) => Err(OutOfRange),
                Err(_) => Ok(false),
            }
        });
        if done == Some(false) {
            self.move_word(cell);
        }
        done == Some(true)
    }

    /// Moves the value of this index's word to the shared bits. While another thread is moving one, the word stays as
    /// it is, and one of the next additions moves it.
    #[cold]
    #[inline(never)]
    fn move_word(&self, cell: usize) {
        let Some(fallback) = self.fallback.get(cell) else { return };
        // The handler of a signal may read a sum, and must not wait for the thread that it interrupts.
        sys::with_signals_blocked(|| {
            let moves = self.moves.load(Ordering::Relaxed);
            let is_moving = moves % 2 == 1;
            if is_moving && !self.mover_is_gone() {
                return;
            }
            let begun = moves.wrapping_add(if is_moving { 2 } else { 1 });
            self.mover.store(sys::generation(), Ordering::Relaxed);
            if self.moves.compare_exchange(moves, begun, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                return;
            }
            // A reader that sees a later write, and then fences, sees the odd number or a later one.
            fence(Ordering::SeqCst);
            let taken = self.copies.run(move |token, base, len| {
                let base = base.cast::<usize>().wrapping_add(cell);
                // SAFETY: `base` is the first of `len` words that lie STRIDE bytes apart, as in `add_to_word`.
                unsafe { sections::take::<STRIDE, _, _>(token, base, len) }
            });
            fallback.add(signed(taken.unwrap_or(0)));
            self.moves.store(begun.wrapping_add(1), Ordering::Release);
        });
    }

    /// Whether the thread that was moving a word belonged to the parent of this process, a child of `fork`. The child
    /// loses the value in transit.
    #[cold]
    fn mover_is_gone(&self) -> bool {
        self.mover.load(Ordering::Relaxed) != sys::generation()
    }

    /// The sums of `M` cells from `first` on. Loads after it see at least what the sums include.
    pub(super) fn sums<const M: usize>(&self, first: usize) -> [u64; M] {
        loop {
            let moves = self.moves.load(Ordering::Acquire);
            if moves.is_multiple_of(2) || self.mover_is_gone() {
                let sums = self.add_up(first);
                fence(Ordering::SeqCst);
                if self.moves.load(Ordering::Relaxed) == moves {
                    return sums;
                }
            }
            spin_loop();
            sys::yield_now();
        }
    }

    fn add_up<const M: usize>(&self, first: usize) -> [u64; M] {
        let mut sums = [0u64; M];
        for (sum, fallback) in sums.iter_mut().zip(self.fallback.iter().skip(first)) {
            *sum = fallback.load();
        }
        for copy in self.copies.iter() {
            for (sum, word) in sums.iter_mut().zip(copy.iter().skip(first)) {
                #[cfg(test)]
                assert!((-HALF..HALF).contains(&(signed(word.load(Ordering::Relaxed)) as i64)), "a word is too large");
                *sum = sum.wrapping_add(signed(word.load(Ordering::Relaxed)));
            }
        }
        sums
    }

    /// How many moves have begun or ended.
    #[cfg(test)]
    pub(super) fn moves(&self) -> u32 {
        self.moves.load(Ordering::Relaxed)
    }
}

/// A word as the signed number that it is.
fn signed(word: usize) -> u64 {
    word as isize as i64 as u64
}
