//! Every step in every form, assembled.

#![no_std]
#![cfg_attr(
    any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6"),
    feature(asm_experimental_arch)
)]

use rseq_core::{Aborted, CompareFailed, OutOfRange};

rseq_core::__every_step_sections!(#![model]);

/// The sections, as functions that the compiler has to make.
#[unsafe(no_mangle)]
pub static EVERY_STEP: &[rseq_core::testing::SectionIr] = SECTIONS;
