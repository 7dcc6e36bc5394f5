//! The sections of counters where a word has 32 bits.

/// States them, for words from -2^`bits` to 2^`bits` - 1; as they are, or changed for a test by an attribute of
/// [`critical_section!`](crate::critical_section).
#[doc(hidden)]
#[macro_export]
macro_rules! __narrow_counter_sections {
    ($(#![$variant:ident])? $bits:literal) => {
        $crate::critical_section! {
            $(#![$variant])?
            /// `slot += count`, unless the sum would be below -2^`bits` or above 2^`bits` - 1.
            ///
            /// # Errors
            ///
            /// [`Error`](crate::ops::this_cpu::Error), where a failed comparison is a sum that is too large.
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word; the word and
            /// `count` are from -2^`bits` to 2^`bits` - 1.
            pub unsafe fn add_small(
                base: *mut usize, len: usize, count: usize
            ) -> Result<Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(i, sum, high) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                load(sum, [base + i]);
                add(sum, count);
                mov(high, sum);
                shr(high, $bits); // its two lowest bits are 0 or 3 of a small word, 1 or 2 of others
                add(high, 1);
                and(high, 3); // 1 or 0, 2 or 3
                bound(high, 2) else CompareFailed;
                commit store([base + i], sum);
            }

            /// Takes the value of the slot, and leaves 0.
            ///
            /// # Errors
            ///
            /// [`OutOfRange`].
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word.
            pub unsafe fn take(base: *mut usize, len: usize) -> Result<usize, OutOfRange> {
                exits(OutOfRange) scratch(i, value) abort(restart) stride(STRIDE) output(taken);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                load(value, [base + i]);
                repeatable store([taken], value);
                commit store([base + i], 0);
            }
        }
    };
}
