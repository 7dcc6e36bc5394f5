//! The sections of rings: each works on the slot of this thread's index.
//!
//! A slot begins with four fields, 8 bytes apart: the position of the tail, the limit up to which it may advance
//! without reading the head, the distance from the tail's position to its place in memory, and the address of the
//! buffer (see [`Slot`](super::ring_slot::Slot)).

use crate::section::{CompareFailed, OutOfRange};

/// States the sections of rings, as they are, or changed for a test by an attribute of
/// [`critical_section!`](crate::critical_section).
#[doc(hidden)]
#[macro_export]
macro_rules! __ring_sections {
    ($(#![$variant:ident])?) => {
        $crate::critical_section! {
            $(#![$variant])?
            /// Writes a whole record at the tail: its header, and `bytes` bytes from `src`.
            ///
            /// # Errors
            ///
            /// [`Error`](crate::ops::this_cpu::Error), where a failed comparison is a tail that is too close to the
            /// limit.
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of rings, `STRIDE` bytes apart. `src` is `bytes` valid bytes, and
            /// `size` is 8 plus `bytes`, rounded up to a multiple of 8. `most` is more than the capacity of the rings,
            /// and 2 to the power of the word's bits, less `size`, is more than `most`.
            pub unsafe fn push(
                base: *mut usize, len: usize, most: usize, size: usize, header: usize, src: *const u8, bytes: usize
            ) -> Result<$crate::Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(slot, to, t) abort(restart) stride(STRIDE) order(O);
                load_index(slot);
                bound(slot, len) else OutOfRange;
                scale(slot, STRIDE);
                add(slot, base);
                load(t, [slot]);
                load(to, [slot + 8]);
                sub(to, t);
                sub(to, size);
                bound(to, most) else CompareFailed; // what stays free, if it is not negative
                load(to, [slot + 16]);
                add(to, t);
                repeatable store([to], header);
                add(to, 8);
                repeatable copy([to], [src], bytes, t);
                commit add([slot], size);
            }

            /// Writes the header of a record at the tail, and returns its address.
            ///
            /// # Errors
            ///
            /// As for [`push`].
            ///
            /// # Safety
            ///
            /// As for [`push`].
            pub unsafe fn reserve(
                base: *mut usize, len: usize, most: usize, size: usize, header: usize
            ) -> Result<usize, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(slot, to, t) abort(restart) stride(STRIDE) order(O) output(at);
                load_index(slot);
                bound(slot, len) else OutOfRange;
                scale(slot, STRIDE);
                add(slot, base);
                load(t, [slot]);
                load(to, [slot + 8]);
                sub(to, t);
                sub(to, size);
                bound(to, most) else CompareFailed;
                load(to, [slot + 16]);
                add(to, t);
                repeatable store([to], header);
                repeatable store([at], to);
                commit add([slot], size);
            }

            /// Advances the tail to `new` over a header that is written at `to`, if the slot has this buffer and this
            /// tail.
            ///
            /// # Errors
            ///
            /// [`Error`](crate::ops::this_cpu::Error).
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of rings, `STRIDE` bytes apart. `to` is the place of the tail in the
            /// buffer.
            pub unsafe fn pad(
                base: *mut usize, len: usize, buffer: usize, tail: usize, to: *mut usize, header: usize, new: usize
            ) -> Result<$crate::Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(slot) abort(restart) stride(STRIDE) order(O);
                load_index(slot);
                bound(slot, len) else OutOfRange;
                scale(slot, STRIDE);
                add(slot, base);
                cbne([slot + 24], buffer) else CompareFailed;
                cbne([slot], tail) else CompareFailed;
                repeatable store([to], header);
                commit store([slot], new);
            }

            /// Sets the place of the tail and the limit, if the slot has this buffer and this tail. The place changes
            /// only where the tail has reached the limit, so that no record is written between the two.
            ///
            /// # Errors
            ///
            /// [`Error`](crate::ops::this_cpu::Error).
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of rings, `STRIDE` bytes apart.
            pub unsafe fn set_limit(
                base: *mut usize, len: usize, buffer: usize, tail: usize, place: usize, limit: usize
            ) -> Result<$crate::Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(slot) abort(restart) stride(STRIDE);
                load_index(slot);
                bound(slot, len) else OutOfRange;
                scale(slot, STRIDE);
                add(slot, base);
                cbne([slot + 24], buffer) else CompareFailed;
                cbne([slot], tail) else CompareFailed;
                repeatable store([slot + 16], place);
                commit store([slot + 8], limit);
            }
        }
    };
}

/// States a push for each number of words from 1 to 8: as `push`, but without a loop. As they are, or changed for a
/// test by an attribute of [`critical_section!`](crate::critical_section), but for `stretched` and `compare_twice`:
/// most have more steps than these take. The model in `tests/model` interprets those of one to three words, and
/// `percpu_abort_points` interrupts all at every instruction.
#[doc(hidden)]
#[macro_export]
#[cfg(target_pointer_width = "64")]
macro_rules! __ring_word_sections {
    ($($variant:tt)*) => {
        $crate::__ring_sections_of_words! {
            [$($variant)*]
            push_1: 16 [0 to 8];
            push_2: 24 [0 to 8] [8 to 16];
            push_3: 32 [0 to 8] [8 to 16] [16 to 24];
            push_4: 40 [0 to 8] [8 to 16] [16 to 24] [24 to 32];
            push_5: 48 [0 to 8] [8 to 16] [16 to 24] [24 to 32] [32 to 40];
            push_6: 56 [0 to 8] [8 to 16] [16 to 24] [24 to 32] [32 to 40] [40 to 48];
            push_7: 64 [0 to 8] [8 to 16] [16 to 24] [24 to 32] [32 to 40] [40 to 48] [48 to 56];
            push_8: 72 [0 to 8] [8 to 16] [16 to 24] [24 to 32] [32 to 40] [40 to 48] [48 to 56] [56 to 64];
        }
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(target_pointer_width = "32")]
macro_rules! __ring_word_sections {
    ($($variant:tt)*) => {
        $crate::__ring_sections_of_words! {
            [$($variant)*]
            push_1: 16 [0 to 8];
            push_2: 16 [0 to 8] [4 to 12];
            push_3: 24 [0 to 8] [4 to 12] [8 to 16];
            push_4: 24 [0 to 8] [4 to 12] [8 to 16] [12 to 20];
            push_5: 32 [0 to 8] [4 to 12] [8 to 16] [12 to 20] [16 to 24];
            push_6: 32 [0 to 8] [4 to 12] [8 to 16] [12 to 20] [16 to 24] [20 to 28];
            push_7: 40 [0 to 8] [4 to 12] [8 to 16] [12 to 20] [16 to 24] [20 to 28] [24 to 32];
            push_8: 40 [0 to 8] [4 to 12] [8 to 16] [12 to 20] [16 to 24] [20 to 28] [24 to 32] [28 to 36];
        }
    };
}

/// The sections, each with the bytes of its record, and from where to where each word goes.
#[doc(hidden)]
#[macro_export]
macro_rules! __ring_sections_of_words {
    ([$(#![$variant:ident])?] $($name:ident: $size:literal $([$from:literal to $to:literal])+;)+) => {
        $crate::critical_section! {
            $(#![$variant])?
            $(
                /// Writes a whole record of words at the tail.
                ///
                /// # Errors
                ///
                /// As for [`push`].
                ///
                /// # Safety
                ///
                /// As for [`push`]; `src` is as many valid words as the section's name says.
                pub unsafe fn $name(
                    base: *mut usize, len: usize, most: usize, header: usize, src: *const usize
                ) -> Result<$crate::Committed, $crate::ops::this_cpu::Error> {
                    exits(OutOfRange, CompareFailed) scratch(slot, at, t) abort(restart) stride(STRIDE) order(O);
                    load_index(slot);
                    bound(slot, len) else OutOfRange;
                    scale(slot, STRIDE);
                    add(slot, base);
                    load(t, [slot]);
                    load(at, [slot + 8]);
                    sub(at, t);
                    sub(at, $size);
                    bound(at, most) else CompareFailed;
                    load(at, [slot + 16]);
                    add(at, t);
                    repeatable store([at], header);
                    $(
                        load(t, [src + $from]);
                        repeatable store([at + $to], t);
                    )+
                    commit add([slot], $size);
                }
            )+
        }
    };
}

__ring_sections!();
__ring_word_sections!();
