//! The sections of a pool's lists.

use crate::ops::this_cpu::Error;
use crate::section::{Committed, CompareFailed, OutOfRange};

/// States the sections of pools: as they are, or changed for a test by an attribute of
/// [`critical_section!`](crate::critical_section).
#[doc(hidden)]
#[macro_export]
macro_rules! __pool_sections {
    ($(#![$variant:ident])?) => {
        $crate::critical_section! {
            $(#![$variant])?
            /// Pushes a word on the slot's list, if that has fewer than `limit`.
            ///
            /// # Errors
            ///
            /// A failed comparison is a list that is full, or closed.
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes. Each begins with a count, which is at least
            /// `limit` if the slot is closed, and with `limit` words, 8 bytes apart, after it.
            pub unsafe fn push(base: *mut usize, len: usize, limit: usize, word: usize) -> Result<Committed, Error> {
                exits(OutOfRange, CompareFailed) scratch(i, count) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                add(i, base);
                load(count, [i]);
                bound(count, limit) else CompareFailed;
                add(count, 1);
                repeatable store([i + count * 8], word);
                commit store([i], count);
            }

            /// Pops the last word of the slot's list.
            ///
            /// # Errors
            ///
            /// A failed comparison is a list that is empty, or closed.
            ///
            /// # Safety
            ///
            /// As [`push`], with 63 words, and a count above 63 if the slot is closed.
            pub unsafe fn pop(base: *mut usize, len: usize) -> Result<usize, Error> {
                exits(OutOfRange, CompareFailed) scratch(i, word, count) abort(restart) stride(STRIDE) output(popped);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                add(i, base);
                load(word, [i]);
                mov(count, word);
                sub(count, 1);
                bound(count, 63) else CompareFailed;
                load(word, [i + word * 8]);
                repeatable store([popped], word);
                commit store([i], count);
            }
        }
    };
}

__pool_sections!();
