//! aarch64: `tpidr_el0` is the thread pointer.

use crate::canary::Canary;
use crate::tls::Variant;
use core::arch::{asm, global_asm};
use linux_raw_sys::general::{__NR_clone, __NR_exit, __NR_munmap};

/// Variant I, with two words at the thread pointer that belong to the ABI (ELF for the Arm 64-bit Architecture).
pub const TLS: Variant = Variant::Above { reserved: 16, bias: 0 };

/// As GCC and LLVM have it.
pub const CANARY: Canary = Canary::Global;

/// Sets this thread's thread pointer.
///
/// # Safety
///
/// `pointer` belongs to a filled TLS block that lives as long as the thread, which uses no other.
pub unsafe fn set_thread_pointer(pointer: usize) {
    // SAFETY: the register is for user space to write; the caller answers for what it points to.
    unsafe { asm!("msr tpidr_el0, {}", in(reg) pointer, options(nostack, preserves_flags)) };
}

global_asm!(
    ".pushsection .text.__rseq_rt, \"ax\", %progbits",
    ".balign 4",
    ".globl _start",
    ".type _start, %function",
    "_start:",
    ".cfi_startproc",
    ".cfi_undefined 30", // it has no caller
    "mov x29, #0", // backtraces end here
    "mov x30, #0",
    "mov x0, sp",
    "and x1, x0, #-16",
    "mov sp, x1",
    "bl __rseq_rt_entry",
    "brk #1",
    ".zero 64", // gdb writes instructions to the entry point and after it
    ".cfi_endproc",
    ".size _start, . - _start",
    "",
    ".globl __rseq_rt_clone",
    ".type __rseq_rt_clone, %function",
    "__rseq_rt_clone:",
    "mov x5, x0",
    "ldp x0, x1, [x5]",   // flags, stack
    "ldr x2, [x5, #16]",  // parent_tid
    "ldr x4, [x5, #24]",  // child_tid
    "ldr x3, [x5, #32]",  // tls
    "mov x8, #{clone}",
    "svc #0",
    "cbz x0, __rseq_rt_child",
    "ret",
    ".size __rseq_rt_clone, . - __rseq_rt_clone",
    "",
    ".type __rseq_rt_child, %function",
    "__rseq_rt_child:", // a new thread, on its own stack
    ".cfi_startproc",
    ".cfi_undefined 30", // it has no caller
    "mov x29, #0",
    "mov x30, #0",
    "ldr x0, [sp]",
    "bl __rseq_rt_thread",
    "brk #1",
    ".cfi_endproc",
    ".size __rseq_rt_child, . - __rseq_rt_child",
    "",
    ".globl __rseq_rt_unmap_and_exit",
    ".type __rseq_rt_unmap_and_exit, %function",
    "__rseq_rt_unmap_and_exit:",
    "mov x8, #{munmap}",
    "svc #0",
    "mov x0, #0",
    "mov x8, #{exit}",
    "svc #0",
    "brk #1",
    ".size __rseq_rt_unmap_and_exit, . - __rseq_rt_unmap_and_exit",
    ".popsection",
    clone = const __NR_clone,
    munmap = const __NR_munmap,
    exit = const __NR_exit,
);
