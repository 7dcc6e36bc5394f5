//! Operations that load the index themselves: a stale CPU is impossible, and an abort never reaches the caller.
//!
//! Each works on slot `i` of `len` slots that lie `STRIDE` bytes apart from `base` on, where `i` is this thread's index
//! at the moment of the commit. The comparison of `i` with `len` also excludes threads that are not registered: their
//! index, -1, is below no length.
//!
//! [`Ambient`](crate::Ambient) has an example, [`Region`](crate::percpu::Region) one for its items.

use crate::section::{Committed, CompareFailed, OutOfRange};

/// Why an operation that compares did not commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// See [`OutOfRange`].
    OutOfRange,
    /// See [`CompareFailed`].
    CompareFailed,
}

family_error!(Error: OutOfRange, CompareFailed);

/// States the self-restarting operations: as they are, or changed for a test by an attribute of
/// [`critical_section!`](crate::critical_section).
#[doc(hidden)]
#[macro_export]
macro_rules! __this_cpu_sections {
    ($(#![$variant:ident])?) => {
        $crate::critical_section! {
            $(#![$variant])?
            /// `slot += count`
            ///
            /// # Errors
            ///
            /// [`OutOfRange`].
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word.
            pub unsafe fn add(base: *mut usize, len: usize, count: usize) -> Result<Committed, OutOfRange> {
                exits(OutOfRange) scratch(i) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                commit add([base + i], count);
            }

            /// `slot += 1`, faster than [`add`] of one.
            ///
            /// # Errors
            ///
            /// [`OutOfRange`].
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word.
            pub unsafe fn inc(base: *mut usize, len: usize) -> Result<Committed, OutOfRange> {
                exits(OutOfRange) scratch(i) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                commit add([base + i], 1);
            }

            /// `slot += count`, without a check and so without a branch.
            ///
            /// # Errors
            ///
            /// None.
            ///
            /// # Safety
            ///
            /// `base` is the first of slots of `STRIDE` bytes, each beginning with a valid word, one for every index
            /// that this thread can have; the thread stays registered during the call.
            pub unsafe fn add_unchecked(
                base: *mut usize, count: usize
            ) -> Result<Committed, core::convert::Infallible> {
                exits() scratch(i) abort(restart_unbounded) stride(STRIDE);
                load_index(i);
                scale(i, STRIDE);
                commit add([base + i], count);
            }

            /// `if slot == expect { slot = newv }`
            ///
            /// # Errors
            ///
            /// [`Error`].
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word.
            pub unsafe fn cmpxchg(
                base: *mut usize, len: usize, expect: usize, newv: usize
            ) -> Result<Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(i) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                cbne([base + i], expect) else CompareFailed;
                commit store([base + i], newv);
            }

            /// `*node = slot; slot = node`: pushes a node, whose first word is its link, on the slot's list.
            ///
            /// # Errors
            ///
            /// [`OutOfRange`]; the node's link may have been written.
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word: 0 or the address
            /// of a node. `node` is a valid word that belongs to this thread and to no list.
            pub unsafe fn push(base: *mut usize, len: usize, node: *mut usize) -> Result<Committed, OutOfRange> {
                exits(OutOfRange) scratch(i, head) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                load(head, [base + i]);
                repeatable store([node], head);
                commit store([base + i], node);
            }

            /// `if slot != 0 { popped = slot; slot = *slot }`: pops the first node of the slot's list, and returns its
            /// address.
            ///
            /// # Errors
            ///
            /// [`Error`], where a failed comparison is an empty list.
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word: 0 or the address
            /// of a node, whose first word is its link and stays readable.
            pub unsafe fn pop(base: *mut usize, len: usize) -> Result<usize, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(i, node) abort(restart) stride(STRIDE) output(popped);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                load(node, [base + i]);
                cbz(node) else CompareFailed;
                repeatable store([popped], node);
                load(node, [node]);
                commit store([base + i], node);
            }
        }
    };
}

__this_cpu_sections!();
