//! The sections of lists.

use crate::ops::this_cpu::Error;
use crate::section::{Committed, CompareFailed, OutOfRange};

/// States the sections of lists: as they are, or changed for a test by an attribute of
/// [`critical_section!`](crate::critical_section).
#[doc(hidden)]
#[macro_export]
macro_rules! __list_sections {
    ($(#![$variant:ident])?) => {
        $crate::critical_section! {
            $(#![$variant])?
            /// Pushes a node, whose first word is its link, on the slot's list.
            ///
            /// # Errors
            ///
            /// A failed comparison is a list that is closed.
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word: 0, 1 if it is
            /// closed, or the address of a node. `node` is a valid word that belongs to this thread and to no list.
            pub unsafe fn push(base: *mut usize, len: usize, node: *mut usize) -> Result<Committed, Error> {
                exits(OutOfRange, CompareFailed) scratch(i, head) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                load(head, [base + i]);
                cbeq(head, 1) else CompareFailed;
                repeatable store([node], head);
                commit store([base + i], node);
            }

            /// Pops the first node of the slot's list, and returns its address.
            ///
            /// # Errors
            ///
            /// A failed comparison is a list that is empty, or closed.
            ///
            /// # Safety
            ///
            /// As [`push`]; links stay readable.
            pub unsafe fn pop(base: *mut usize, len: usize) -> Result<usize, Error> {
                exits(OutOfRange, CompareFailed) scratch(i, node) abort(restart) stride(STRIDE) output(popped);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                load(node, [base + i]);
                cbz(node) else CompareFailed;
                cbeq(node, 1) else CompareFailed;
                repeatable store([popped], node);
                load(node, [node]);
                commit store([base + i], node);
            }

            /// Takes the slot's list, and returns the address of its first node.
            ///
            /// # Errors
            ///
            /// As [`pop`].
            ///
            /// # Safety
            ///
            /// As [`push`].
            pub unsafe fn pop_all(base: *mut usize, len: usize) -> Result<usize, Error> {
                exits(OutOfRange, CompareFailed) scratch(i, node) abort(restart) stride(STRIDE) output(popped);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                load(node, [base + i]);
                cbz(node) else CompareFailed;
                cbeq(node, 1) else CompareFailed;
                repeatable store([popped], node);
                commit store([base + i], 0);
            }
        }
    };
}

__list_sections!();
