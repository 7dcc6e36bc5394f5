//! From the kernel's initial stack to `main`.
//!
//! With the feature `origin`, x86-64, i686 and riscv64 start with origin, which places their TLS block correctly. Of
//! the other architectures here it has only aarch64 and arm. On aarch64 it aligns its control block instead of the
//! thread pointer, so that a thread-local with an alignment above 8 is misplaced; on arm it does not build with stable
//! Rust.

#[cfg(not(rseq_rt_origin))]
mod bare;
#[cfg(rseq_rt_origin)]
mod origin;
mod run;

use crate::env::InitialStack;
use crate::headers::Headers;
use crate::process::refuse;
use crate::{indirect, relocate};
#[cfg(not(rseq_rt_origin))]
use bare::start;
use linux_raw_sys::elf::PT_INTERP;
#[cfg(rseq_rt_origin)]
use origin::start;

/// The first Rust code of the program; `_start` of every architecture jumps here, with no thread pointer set.
///
/// # Safety
///
/// `stack` is the stack pointer with which the kernel started the program.
#[unsafe(no_mangle)]
unsafe extern "C" fn __rseq_rt_entry(stack: *mut usize) -> ! {
    // SAFETY: the stack is the kernel's, and at most a dynamic linker has relocated the program.
    let rest = unsafe { relocate::relocate(stack as usize) };
    // SAFETY: the same stack.
    unsafe { relocated(stack, rest) }
}

/// Starts the program, whose addresses are final from here on, except for those that `rest` stands for.
///
/// # Safety
///
/// As [`__rseq_rt_entry`].
#[inline(never)]
unsafe fn relocated(stack: *mut usize, rest: u32) -> ! {
    // SAFETY: the kernel's initial stack is unchanged.
    let initial = unsafe { InitialStack::new(stack) };
    if Headers::of_program(&initial).find(PT_INTERP).is_some() {
        refuse("rseq-rt: the program was linked for a dynamic linker: link with -static or -static-pie\n");
    }
    if rest & relocate::INDIRECT != 0 || indirect::are_linked() {
        refuse("rseq-rt: indirect functions (ifunc) are not supported: compile the C parts without them\n");
    }
    if rest != 0 {
        refuse("rseq-rt: the program has relocations that need a dynamic linker\n");
    }
    // SAFETY: the stack is the kernel's.
    unsafe { start(stack) }
}
