//! A counter's section held open by a copy between its load and its commit, and the same one never armed.

macro_rules! delayed_sections {
    ($(#![$variant:ident])?) => {
        rseq_core::critical_section! {
            $(#![$variant])?
            /// `*v += count`, with `len` bytes copied before the commit.
            ///
            /// # Errors
            ///
            /// [`rseq_core::Aborted`].
            ///
            /// # Safety
            ///
            /// `v` is a valid word, `from` and `to` are `len` valid bytes apart from each other, `cpu` is not -1 or -2.
            pub unsafe fn delayed_add(
                cpu: usize, v: *mut usize, count: usize, from: *const u8, to: *mut u8, len: usize
            ) -> Result<Committed, Aborted> {
                exits(Aborted) scratch(sum, i) abort(Aborted);
                check_index(cpu) else Aborted;
                load(sum, [v]);
                add(sum, count);
                repeatable copy([to], [from], len, i);
                commit store([v], sum);
            }
        }
    };
}

/// The section as it should be.
pub mod armed {
    use rseq_core::{Aborted, Committed};
    delayed_sections!();
}

/// The control: the same steps, but the kernel never hears of them.
pub mod unarmed {
    use rseq_core::{Aborted, Committed};
    delayed_sections!(#![unarmed]);
}
