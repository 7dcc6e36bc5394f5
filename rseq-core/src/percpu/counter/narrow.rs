//! The cells of a counter where a word has 32 bits: a small signed word for each index, and 64 bits that all share.
//!
//! An addition that would make a word too large moves what the word has to the shared bits. Readers begin again if that
//! happens meanwhile, so a sum never misses what is on its way.

use super::shared::Shared;
use crate::percpu::copies::Copies;
use crate::percpu::memory::STRIDE;
use crate::{Committed, Index, OutOfRange, critical_section, sys};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};

/// Words are from -2^30 to 2^30 - 1, and so are the counts that are added to them.
const HALF: i64 = 1 << 30;

#[derive(Debug)]
pub(super) struct Cells<K: Index> {
    copies: Copies<AtomicUsize, K>,
    fallback: Shared,
    /// Odd while a word is moved.
    moves: AtomicU32,
}

/// The word would become too large.
#[derive(Clone, Copy)]
struct Full;

enum Error {
    OutOfRange,
    Full,
}

impl From<OutOfRange> for Error {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

impl From<Full> for Error {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

critical_section! {
    /// `slot += count`, unless the two highest bits of the sum differ.
    ///
    /// # Safety
    ///
    /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word.
    unsafe fn add_small(base: *mut usize, len: usize, count: usize) -> Result<Committed, Error> {
        exits(OutOfRange, Full) scratch(i, sum, high) abort(restart) stride(STRIDE);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, STRIDE);
        load(sum, [base + i]);
        add(sum, count);
        mov(high, sum);
        shr(high, 30); // 0 or 3 of a small word
        add(high, 1);
        and(high, 3); // 1 or 0
        bound(high, 2) else Full;
        commit store([base + i], sum);
    }

    /// Takes the value of the slot, which is 0 afterwards.
    ///
    /// # Safety
    ///
    /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word.
    unsafe fn take(base: *mut usize, len: usize) -> Result<usize, OutOfRange> {
        exits(OutOfRange) scratch(i, value) abort(restart) stride(STRIDE) output(taken);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, STRIDE);
        load(value, [base + i]);
        repeatable store([taken], value);
        commit store([base + i], 0);
    }
}

impl<K: Index> Cells<K> {
    pub(super) const fn new() -> Self {
        Self { copies: Copies::new(), fallback: Shared::new(), moves: AtomicU32::new(0) }
    }

    #[inline]
    pub(super) fn add(&self, count: u64) {
        let small = count as i64;
        let is_added = (-HALF..HALF).contains(&small) && self.add_to_word(small as usize);
        if !is_added {
            self.fallback.add(count);
        }
    }

    #[inline]
    pub(super) fn inc(&self) {
        self.add(1);
    }

    /// Whether a section has added the count.
    #[inline]
    fn add_to_word(&self, count: usize) -> bool {
        let done = self.copies.run(move |token, base, len| {
            // SAFETY: `base` is the first of `len` words that lie STRIDE bytes apart, as `Copies` says.
            match unsafe { add_small::<STRIDE, _, _>(token, base.cast(), len, count) } {
                Ok(_) => Ok(true),
                Err(Error::Full) => Ok(false),
                Err(Error::OutOfRange) => Err(OutOfRange),
            }
        });
        if done == Some(false) {
            self.move_word();
        }
        done == Some(true)
    }

    /// Moves what this index's word has to the shared bits, unless another thread is moving one: the word stays as it is
    /// then, and is moved by one of the next additions.
    #[cold]
    #[inline(never)]
    fn move_word(&self) {
        // A handler that sums up must not wait for the thread that it interrupts.
        sys::with_signals_blocked(|| {
            let moves = self.moves.load(Ordering::Relaxed);
            let begun = moves.wrapping_add(1);
            let (won, lost) = (Ordering::Acquire, Ordering::Relaxed);
            if moves % 2 == 1 || self.moves.compare_exchange(moves, begun, won, lost).is_err() {
                return;
            }
            fence(Ordering::SeqCst);
            let taken = self.copies.run(move |token, base, len| {
                // SAFETY: `base` is the first of `len` words that lie STRIDE bytes apart, as `Copies` says.
                unsafe { take::<STRIDE, _, _>(token, base.cast(), len) }
            });
            self.fallback.add(signed(taken.unwrap_or(0)));
            self.moves.store(begun.wrapping_add(1), Ordering::Release);
        });
    }

    pub(super) fn sum(&self) -> u64 {
        loop {
            let moves = self.moves.load(Ordering::Acquire);
            if moves % 2 == 0 {
                let words = self.copies.iter().map(|word| signed(word.load(Ordering::Relaxed)));
                let sum = words.fold(self.fallback.load(), u64::wrapping_add);
                fence(Ordering::SeqCst);
                if self.moves.load(Ordering::Relaxed) == moves {
                    return sum;
                }
            }
            spin_loop();
            sys::yield_now();
        }
    }
}

/// A word as the signed number that it is.
fn signed(word: usize) -> u64 {
    word as isize as i64 as u64
}
