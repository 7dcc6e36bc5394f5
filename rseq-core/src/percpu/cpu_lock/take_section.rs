//! The section by which a thread takes its CPU's lock.

use crate::section::{Aborted, Committed, CompareFailed};

/// States the section of locks: as it is, or changed for a test by an attribute of
/// [`critical_section!`](crate::critical_section).
#[doc(hidden)]
#[macro_export]
macro_rules! __lock_sections {
    ($(#![$variant:ident])?) => {
        $crate::critical_section! {
            $(#![$variant])?
            /// `if *word == 1 { *word = 2 }`: takes a free lock.
            ///
            /// # Errors
            ///
            /// [`Error`]($crate::ops::librseq::Error).
            ///
            /// # Safety
            ///
            /// `word` is a valid word. `index` is not -1 or -2, the values of an area that is not registered.
            pub unsafe fn take(index: usize, word: *mut usize) -> Result<Committed, $crate::ops::librseq::Error> {
                exits(Aborted, CompareFailed) abort(Aborted);
                check_index(index) else Aborted;
                cbne([word], 1) else CompareFailed;
                commit store([word], 2);
            }
        }
    };
}

__lock_sections!();
