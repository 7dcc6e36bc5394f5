//! Sections that together take every step in every form: for tests of what an architecture makes of them. The commits
//! that have an order are in `commits.rs`.

/// States them as they are, or changed by an attribute.
#[doc(hidden)]
#[macro_export]
macro_rules! __every_step_sections {
    ($(#![$($variant:ident),+])?) => {
        $crate::__rseq_arithmetic! { [$crate::__every_step_sections] @ [$(#![$($variant),+])?] }
    };
    (@ [$($attribute:tt)*] $($step:ident($r:ident, $x:ident) = $result:expr, $effect:literal;)+) => {
        $crate::__ordered_commit_sections! {
            [$crate::critical_section]
            $($attribute)*
            /// `b = x`, and then `b = 2 * b + step(v[0], y)` for each arithmetic step. Then
            /// `v[0] = (b + v[1]) << 3 >> 5`, which it returns too.
            ///
            /// # Safety
            ///
            /// `v` is the address of two valid words; `cpu` is not -1 or -2.
            pub unsafe fn compute(
                cpu: usize, v: *mut usize, x: usize, y: usize
            ) -> Result<usize, $crate::Aborted> {
                exits(Aborted) scratch(a, b) abort(Aborted) output(result);
                check_index(cpu) else Aborted;
                mov(b, x);
                $(
                    load(a, [v]);
                    $step(a, y);
                    shl(b, 1);
                    add(b, a);
                )+
                load_acquire(a, [v + 8]);
                add(b, a);
                shl(b, 3);
                shr(b, 5);
                repeatable store([result], b);
                commit store([v], b);
            }

            /// `b = 255`, and then `b = 2 * b + step(v[0], 203)` for each arithmetic step. Then `v[0] = b`.
            ///
            /// # Safety
            ///
            /// `v` is a valid word; `cpu` is not -1 or -2.
            pub unsafe fn compute_with_literals(cpu: usize, v: *mut usize) -> Result<usize, $crate::Aborted> {
                exits(Aborted) scratch(a, b) abort(Aborted) output(result);
                check_index(cpu) else Aborted;
                mov(b, 255);
                $(
                    load(a, [v]);
                    $step(a, 203);
                    shl(b, 1);
                    add(b, a);
                )+
                repeatable store([result], 9);
                commit store([v], b);
            }

            /// Compares a register with literals and words: leaves unless `v[0]` is at least 1, below `limit` and 200,
            /// not `x`, not 7; counts in `v[1]`.
            ///
            /// # Safety
            ///
            /// `v` is the address of two valid words; `cpu` is not -1 or -2.
            pub unsafe fn compare(
                cpu: usize, v: *mut usize, limit: usize, x: usize
            ) -> Result<$crate::Committed, $crate::ops::librseq::Error> {
                exits(Aborted, CompareFailed) scratch(a) abort(Aborted);
                check_index(cpu) else Aborted;
                load(a, [v]);
                cbz(a) else CompareFailed;
                bound(a, limit) else CompareFailed;
                bound(a, 200) else CompareFailed;
                cbeq(a, x) else CompareFailed;
                cbeq(a, 7) else CompareFailed;
                cbne([v + 8], 0) else CompareFailed;
                commit add([v + 8], 1);
            }

            /// Compares words in memory at every kind of address; counts in `v[0]`.
            ///
            /// # Safety
            ///
            /// `v`, `v + i` and `v + 8 * i` are addresses of valid words; `cpu` is not -1 or -2.
            pub unsafe fn compare_in_memory(
                cpu: usize, v: *mut usize, i: usize, x: usize
            ) -> Result<$crate::Committed, $crate::ops::librseq::Error> {
                exits(Aborted, CompareFailed) abort(Aborted);
                check_index(cpu) else Aborted;
                cbne([v], x) else CompareFailed;
                cbeq([v], 3) else CompareFailed;
                cbeq([v + i], 4) else CompareFailed;
                cbeq([v + i * 1], 5) else CompareFailed;
                cbeq([v + 8], x) else CompareFailed;
                commit add([v], x);
            }

            /// `v[0] = ` the sum of narrow and ordered loads, and the position of each shows: bytes, halves and words
            /// at `v`, `v + i`, `v + 4` and `v + i * 2`.
            ///
            /// # Safety
            ///
            /// `v` is the address of two valid words, `i` is 0 or 4; `cpu` is not -1 or -2.
            pub unsafe fn load_narrow(cpu: usize, v: *mut usize, i: usize) -> Result<usize, $crate::Aborted> {
                exits(Aborted) scratch(a, sum) abort(Aborted) output(result);
                check_index(cpu) else Aborted;
                load_u8(sum, [v]);
                load_u8(a, [v + i]);
                shl(sum, 1);
                add(sum, a);
                load_u8(a, [v + 3]);
                shl(sum, 1);
                add(sum, a);
                load_u8(a, [v + i * 1]);
                shl(sum, 1);
                add(sum, a);
                load_u16(a, [v]);
                shl(sum, 1);
                add(sum, a);
                load_u16(a, [v + i]);
                shl(sum, 1);
                add(sum, a);
                load_u16(a, [v + 2]);
                shl(sum, 1);
                add(sum, a);
                load_u16(a, [v + i * 1]);
                shl(sum, 1);
                add(sum, a);
                load_u32(a, [v]);
                shl(sum, 1);
                add(sum, a);
                load_u32(a, [v + i]);
                shl(sum, 1);
                add(sum, a);
                load_u32(a, [v + 4]);
                shl(sum, 1);
                add(sum, a);
                load_u32(a, [v + i * 1]);
                shl(sum, 1);
                add(sum, a);
                repeatable store([result], sum);
                commit store([v], sum);
            }

            /// Ordered loads at every kind of address.
            ///
            /// # Safety
            ///
            /// `v` and the address after it are valid words, so are those at `v + i` and `v + 8 * j`; `cpu` is not -1
            /// or -2.
            pub unsafe fn load_ordered(
                cpu: usize, v: *mut usize, i: usize, j: usize
            ) -> Result<usize, $crate::Aborted> {
                exits(Aborted) scratch(a, sum) abort(Aborted) output(result);
                check_index(cpu) else Aborted;
                load_acquire(sum, [v]);
                load_acquire(a, [v + i]);
                shl(sum, 1);
                add(sum, a);
                load_acquire(a, [v + 8]);
                shl(sum, 1);
                add(sum, a);
                load_acquire(a, [v + j * 8]);
                shl(sum, 1);
                add(sum, a);
                load(a, [v + j * 8]);
                shl(sum, 1);
                add(sum, a);
                repeatable store([result], sum);
                commit store([v + 8], sum);
            }

            /// Narrow stores of `x` and of literals to the two words at `w`, at every kind of address.
            ///
            /// # Safety
            ///
            /// `w` is the address of two words of this thread's own, `v` is a valid word, `i` is 0 or 4; `cpu` is not
            /// -1 or -2.
            pub unsafe fn store_narrow(
                cpu: usize, v: *mut usize, w: *mut usize, x: usize, i: usize
            ) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted);
                check_index(cpu) else Aborted;
                repeatable store([w], x);
                repeatable store([w + 8], 77);
                repeatable store_u32([w + i], x);
                repeatable store_u16([w + i], 200);
                repeatable store_u8([w + 3], x);
                repeatable store_u8([w + i * 1], 5);
                repeatable store_u16([w + 2], x);
                commit store_u32([v], x);
            }

            /// `v[j] = x` in the low 16 bits.
            ///
            /// # Safety
            ///
            /// `v + 8 * j` is a valid word; `cpu` is not -1 or -2.
            pub unsafe fn commit_half(
                cpu: usize, v: *mut usize, x: usize, j: usize
            ) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted);
                check_index(cpu) else Aborted;
                commit store_u16([v + j * 8], x);
            }

            /// The byte at `v + i` = `x`.
            ///
            /// # Safety
            ///
            /// `v + i` is a valid byte; `cpu` is not -1 or -2.
            pub unsafe fn commit_byte(
                cpu: usize, v: *mut usize, x: usize, i: usize
            ) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted);
                check_index(cpu) else Aborted;
                commit store_u8([v + i], x);
            }

            /// Copies `n` bytes, and commits what the copy has counted.
            ///
            /// # Safety
            ///
            /// `v` is a valid word; `from` and `to` are `n` valid bytes that do not overlap; `cpu` is not -1 or -2.
            pub unsafe fn copy_and_count(
                cpu: usize, v: *mut usize, to: *mut u8, from: *const u8, n: usize
            ) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) scratch(k) abort(Aborted);
                check_index(cpu) else Aborted;
                repeatable copy([to], [from], n, k);
                commit store([v], k);
            }

            /// Two strides: `base[i] = other[i]`, and the slot's old word returned.
            ///
            /// # Safety
            ///
            /// `base` and `other` are each the first of `len` slots, `S` and `T` bytes apart, each beginning with a
            /// valid word.
            pub unsafe fn two_strides(
                base: *mut usize, other: *mut usize, len: usize
            ) -> Result<usize, $crate::OutOfRange> {
                exits(OutOfRange) scratch(i, k, word) abort(restart) stride(S, T) output(old);
                load_index(i);
                bound(i, len) else OutOfRange;
                mov(k, i);
                scale(i, S);
                scale(k, T);
                load(word, [base + i]);
                repeatable store([old], word);
                load(word, [other + k]);
                commit store([base + i], word);
            }
        }
    };
}
