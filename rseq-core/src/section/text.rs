//! The assembly text that all architectures share: the descriptor, its pointer, the exit points.
//!
//! Variants change one thing in a section on purpose, for controls that have to be caught; `plain` changes nothing.

/// A 64-bit word holding an address or a distance, on every architecture.
#[cfg(target_pointer_width = "64")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_quad {
    ($value:expr) => {
        concat!(".quad ", $value, "\n")
    };
}

#[cfg(all(target_pointer_width = "32", target_endian = "little"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_quad {
    ($value:expr) => {
        concat!(".long ", $value, ", 0\n")
    };
}

#[cfg(all(target_pointer_width = "32", target_endian = "big"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_quad {
    ($value:expr) => {
        concat!(".long 0, ", $value, "\n")
    };
}

/// `struct rseq_cs` in `__rseq_cs`, and its address in `__rseq_cs_ptr_array`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_descriptor {
    ($variant:ident) => {
        concat!(
            ".pushsection __rseq_cs, \"aw\", %progbits\n",
            ".balign 32\n",
            "77:\n",
            ".long 0, 0\n", // version, flags
            $crate::__rseq_quad!("72f"),
            $crate::__rseq_quad!("73f - 72f"),
            $crate::__rseq_quad!("74f"),
            ".popsection\n",
            ".pushsection __rseq_cs_ptr_array, \"aw\", %progbits\n",
            ".balign 8\n",
            $crate::__rseq_quad!("77b"),
            ".popsection"
        )
    };
}

/// The store that arms the section; left out by `unarmed`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_arming {
    (unarmed, $text:expr) => {
        ""
    };
    ($variant:ident, $text:expr) => {
        $text
    };
}

/// The word before the abort handler.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_signature {
    ($variant:ident, $text:expr) => {
        $text
    };
}

/// Where the section begins and where this branch leaves to, in `__rseq_exit_point_array`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_exit_point {
    ($exit:ident) => {
        concat!(
            ".pushsection __rseq_exit_point_array, \"aw\", %progbits\n",
            ".balign 8\n",
            $crate::__rseq_quad!("72b"),
            $crate::__rseq_quad!(concat!("{", stringify!($exit), "}")),
            ".popsection"
        )
    };
}
