//! The sections of stacks, over slots that begin with a header.
//!
//! | bytes | word | who writes it |
//! |---|---|---|
//! | 0 | `top`: where the next item goes, in bytes from the start of the slot | sections; who has closed the slot |
//! | 8 | `end`: where there is no more room; 0 if the slot is closed | who holds the slot |
//! | 16 | `begin`: 32, where the first item is; the largest number if the slot is closed | who holds the slot |
//! | 24 | what [`Slot`](super::stack_slot::Slot) holds it by | |
//! | 32 | the items, each a word | sections |
//!
//! Sections load `end` or `begin` anyway, so a closed slot costs them no further check. They commit by one store of
//! `top`, which only they write while one of them may run.

/// States the sections of stacks: as they are, or changed for a test by an attribute of
/// [`critical_section!`](crate::critical_section).
#[doc(hidden)]
#[macro_export]
#[cfg(target_pointer_width = "64")]
macro_rules! __stack_sections {
    ($($variant:tt)*) => { $crate::__stack_sections_of_words! { [8 63] $($variant)* } };
}

#[doc(hidden)]
#[macro_export]
#[cfg(target_pointer_width = "32")]
macro_rules! __stack_sections {
    ($($variant:tt)*) => { $crate::__stack_sections_of_words! { [4 31] $($variant)* } };
}

/// The sections, by the bytes of a word and the number of its highest bit.
#[doc(hidden)]
#[macro_export]
macro_rules! __stack_sections_of_words {
    ([$word:tt $sign:tt] $(#![$variant:ident])?) => {
        $crate::critical_section! {
            $(#![$variant])?
            /// `*top = item; top += 1`, unless the slot is full or closed.
            ///
            /// # Errors
            ///
            /// [`Error`](crate::ops::this_cpu::Error), where a failed comparison is a slot without room.
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes, each with a header and as many words as that says.
            pub unsafe fn push(
                base: *mut usize, len: usize, item: usize
            ) -> Result<Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(slot, top, end) abort(restart) stride(STRIDE);
                load_index(slot);
                bound(slot, len) else OutOfRange;
                scale(slot, STRIDE);
                add(slot, base);
                load(top, [slot]);
                load(end, [slot + 8]);
                bound(top, end) else CompareFailed;
                repeatable store([slot + top], item);
                add(top, $word);
                commit store([slot], top);
            }

            /// `top -= 1; *to = *top`, unless the slot is empty or closed.
            ///
            /// # Errors
            ///
            /// [`Error`](crate::ops::this_cpu::Error), where a failed comparison is a slot without items.
            ///
            /// # Safety
            ///
            /// As for [`push`]. `to` is valid for the write of a word.
            pub unsafe fn pop(
                base: *mut usize, len: usize, to: *mut usize
            ) -> Result<Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(slot, top, word) abort(restart) stride(STRIDE);
                load_index(slot);
                bound(slot, len) else OutOfRange;
                scale(slot, STRIDE);
                add(slot, base);
                load(top, [slot]);
                load(word, [slot + 16]);
                bound(word, top) else CompareFailed;
                sub(top, $word);
                load(word, [slot + top]);
                repeatable store([to], word);
                commit store([slot], top);
            }

            /// Copies the first of `bytes` bytes from `from` on to the slot: all, or as many as fit. The third word of
            /// `state` is their number; the other two are for the section.
            ///
            /// # Errors
            ///
            /// As for [`push`].
            ///
            /// # Safety
            ///
            /// As for [`push`]. `from` is valid for reads of `bytes` bytes, which are words; `state` is 24 bytes of
            /// three words, each 8 bytes from the next.
            pub unsafe fn push_batch(
                base: *mut usize, len: usize, from: *const usize, bytes: usize, state: *mut usize
            ) -> Result<Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(slot, top, left) abort(restart) stride(STRIDE);
                load_index(slot);
                bound(slot, len) else OutOfRange;
                scale(slot, STRIDE);
                add(slot, base);
                load(top, [slot]);
                load(left, [slot + 8]);
                bound(top, left) else CompareFailed;
                repeatable store([state + 8], left); // loaded once: it may change at any time
                sub(left, top);
                // left = max(left - bytes, 0), without a branch
                mov(top, left);
                sub(top, bytes);
                shr(top, $sign);
                sub(top, 1);
                sub(left, bytes);
                and(left, top);
                load(top, [state + 8]);
                sub(top, left);
                load(left, [slot]);
                repeatable store([state], slot);
                repeatable store([state + 8], top);
                sub(top, left);
                repeatable store([state + 16], top);
                add(slot, left);
                mov(left, top);
                repeatable copy([slot], [from], left, top);
                load(slot, [state]);
                load(top, [state + 8]);
                commit store([slot], top);
            }

            /// Copies the last `bytes` bytes of the slot to `to`, or all if there are fewer. The third word of `state`
            /// is their number; the other two are for the section.
            ///
            /// # Errors
            ///
            /// As for [`pop`].
            ///
            /// # Safety
            ///
            /// As for [`push`]. `to` is valid for writes of `bytes` bytes, which are words; `state` as for
            /// [`push_batch`].
            pub unsafe fn pop_batch(
                base: *mut usize, len: usize, to: *mut usize, bytes: usize, state: *mut usize
            ) -> Result<Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(slot, top, taken) abort(restart) stride(STRIDE);
                load_index(slot);
                bound(slot, len) else OutOfRange;
                scale(slot, STRIDE);
                add(slot, base);
                load(top, [slot]);
                load(taken, [slot + 16]);
                bound(taken, top) else CompareFailed;
                sub(top, taken);
                // top = max(top - bytes, 0), without a branch
                mov(taken, top);
                sub(taken, bytes);
                shr(taken, $sign);
                sub(taken, 1);
                sub(top, bytes);
                and(top, taken);
                add(top, 32);
                load(taken, [slot]);
                sub(taken, top);
                repeatable store([state], slot);
                repeatable store([state + 8], top);
                repeatable store([state + 16], taken);
                add(slot, top);
                repeatable copy([to], [slot], taken, top);
                load(slot, [state]);
                load(top, [state + 8]);
                commit store([slot], top);
            }

            /// Makes `top` the top of a closed slot, which is that of the index `at`.
            ///
            /// # Errors
            ///
            /// [`Error`](crate::ops::this_cpu::Error), where a failed comparison is another index.
            ///
            /// # Safety
            ///
            /// As for [`push`]. The slot `at` is closed, and this thread holds it.
            pub unsafe fn set_top(
                base: *mut usize, len: usize, at: usize, top: usize
            ) -> Result<Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(slot) abort(restart) stride(STRIDE);
                load_index(slot);
                bound(slot, len) else OutOfRange;
                cbne(slot, at) else CompareFailed;
                scale(slot, STRIDE);
                commit store([base + slot], top);
            }
        }
    };
}

use crate::{Committed, CompareFailed, OutOfRange};

__stack_sections!();
