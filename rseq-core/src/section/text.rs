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

/// Picks a text for words of 64 or of 32 bits.
#[cfg(target_pointer_width = "64")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_wide {
    ($wide:literal, $narrow:literal) => {
        $wide
    };
}

#[cfg(target_pointer_width = "32")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_wide {
    ($wide:literal, $narrow:literal) => {
        $narrow
    };
}

/// What stands for a register, a constant or an exit.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_operand {
    ($name:ident) => {
        concat!("{", stringify!($name), "}")
    };
}

/// `struct rseq_cs` in `__rseq_cs`, and its address in `__rseq_cs_ptr_array`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_descriptor {
    () => {
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

/// Where the section begins and where this branch leaves to, in `__rseq_exit_point_array`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_exit_point {
    ($exit:ident) => {
        concat!(
            ".pushsection __rseq_exit_point_array, \"aw\", %progbits\n",
            ".balign 8\n",
            $crate::__rseq_quad!("72b"),
            $crate::__rseq_quad!($crate::__rseq_operand!($exit)),
            ".popsection"
        )
    };
}

/// Leaves if the branch is taken, one that reaches every exit.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_leave_if {
    ($branch:expr, $exit:ident) => {
        concat!($branch, " ", $crate::__rseq_operand!($exit), "\n", $crate::__rseq_exit_point!($exit))
    };
}

/// Leaves unless the branch is taken, one that reaches too short for an exit.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_leave_unless {
    ($branch:expr, $exit:ident) => {
        concat!(
            $branch, " 61f\n",
            $crate::__rseq_text!(jump $crate::__rseq_operand!($exit)), "\n",
            $crate::__rseq_exit_point!($exit), "\n",
            "61:"
        )
    };
}

/// Where an abort goes.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_abort_label {
    (restart) => {
        "75b"
    };
    ($exit:ident) => {
        $crate::__rseq_operand!($exit)
    };
}

/// The `asm!` call around a section: what stands before `registers` comes from `critical_section!`, the rest from the
/// architecture's `__rseq_frame!`.
///
/// * `registers`: the class of registers for the section's inputs and scratch registers;
/// * `operands`: the area, registers of the architecture's own, and what changes beside them;
/// * `descriptor`: texts that bring the descriptor's address, `77b`, into a register; `arm`: the one that stores it;
/// * `index`: the index field as an operand;
/// * `handler`: the text before the signature;
/// * `around`, optional: texts before and behind all others.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_section {
    ($index:ty, $variant:ident, $abort:ident,
     [$(($number:tt $step:tt))*] [$($scratch:ident)*] [$($input:ident)*] [$($imm:ident)*] [$($exit:ident)*]
     registers $class:ident
     operands [$($operands:tt)*]
     descriptor [$($descriptor:expr),+]
     arm $arm:expr,
     index $field:tt
     handler $handler:literal
     $(around [$begin:expr, $end:expr])?
     options $options:tt) => {
        ::core::arch::asm!(
            $($begin,)?
            $crate::__rseq_descriptor!(),
            "75:",
            $($descriptor,)+
            $crate::__rseq_arming!($variant, $arm),
            "72:",
            $($crate::__rseq_step!($field $step),)*
            "73:",
            "/* {rseq_cs} */",                                           // some variant does without it
            ".pushsection __rseq_failure, \"ax\", %progbits",
            $handler,
            ".long {rseq_signature}",
            "74:",
            $crate::__rseq_text!(jump_from_failure $crate::__rseq_abort_label!($abort)),
            ".popsection",
            $($end,)?
            $($operands)*
            rseq_cs = const $crate::abi::RSEQ_CS_LOW,
            rseq_index = const <$index as $crate::Index>::OFFSET,
            rseq_signature = const $crate::arch::SIGNATURE,
            $($scratch = out($class) _,)*
            $($input = in($class) $input,)*
            $($imm = const $imm.trailing_zeros(),)*
            $($exit = label { $crate::__rseq_left!($variant $exit) },)*
            options $options
        )
    };
}
