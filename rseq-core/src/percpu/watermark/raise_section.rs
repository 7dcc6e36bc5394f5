//! The section of watermarks.

/// States it as it is, or changed for a test by an attribute of [`critical_section!`](crate::critical_section).
#[doc(hidden)]
#[macro_export]
macro_rules! __watermark_sections {
    ($(#![$variant:ident])?) => {
        $crate::critical_section! {
            $(#![$variant])?
            /// `if slot < value { slot = value }`, unsigned. It writes nothing if the slot does not change.
            ///
            /// # Errors
            ///
            /// [`Error`](crate::ops::this_cpu::Error), where a failed comparison is a slot that is as high already.
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word.
            pub unsafe fn raise(
                base: *mut usize, len: usize, value: usize
            ) -> Result<Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(i, highest) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                load(highest, [base + i]);
                bound(highest, value) else CompareFailed;
                commit store([base + i], value);
            }
        }
    };
}
