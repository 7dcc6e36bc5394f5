//! Every step in every form, and every operation, assembled.

#![no_std]
#![cfg_attr(
    any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6"),
    feature(asm_experimental_arch)
)]

mod steps {
    use rseq_core::{Aborted, CompareFailed, OutOfRange};
    rseq_core::__every_step_sections!(#![model]);
}

mod librseq {
    use rseq_core::{Aborted, Committed, CompareFailed};
    rseq_core::__librseq_sections!(#![model]);
}

mod this_cpu {
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__this_cpu_sections!(#![model]);
}

/// The sections, as functions that the compiler has to make.
#[unsafe(no_mangle)]
pub static EVERY_SECTION: [&[rseq_core::testing::SectionIr]; 3] =
    [steps::SECTIONS, librseq::SECTIONS, this_cpu::SECTIONS];
