//! powerpc64, ELFv2 ABI (all little-endian systems): `r13` is the thread pointer, an ordinary register.

use crate::canary::Canary;
use crate::tls::Variant;
use core::arch::{asm, global_asm};
use linux_raw_sys::general::{__NR_clone, __NR_exit, __NR_munmap};

/// Variant I, with the block 0x7000 bytes below the thread pointer (64-bit ELF V2 ABI, "TLS").
pub const TLS: Variant = Variant::Above { reserved: 0, bias: 0x7000 };

/// As GCC and LLVM have it.
pub const CANARY: Canary = Canary::InThread(-0x7010);

/// Sets this thread's thread pointer.
///
/// # Safety
///
/// `pointer` belongs to a filled TLS block that lives as long as the thread, which uses no other.
pub unsafe fn set_thread_pointer(pointer: usize) {
    // SAFETY: compiled code never uses this register for anything else; the caller answers for what it points to.
    unsafe { asm!("mr 13, {}", in(reg) pointer, options(nostack, preserves_flags)) };
}

global_asm!(
    ".pushsection .text.__rseq_rt, \"ax\", @progbits",
    ".balign 4",
    ".globl _start",
    ".type _start, @function",
    "_start:",
    ".cfi_startproc",
    ".cfi_undefined 65", // it has no caller
    "addis 2, 12, .TOC. - _start@ha", // the kernel starts a program with its address in r12
    "addi 2, 2, .TOC. - _start@l",
    "mr 3, 1",
    "clrrdi 1, 1, 4",
    "li 0, 0", // backtraces end here
    "stdu 0, -128(1)",
    "mtlr 0",
    "bl __rseq_rt_entry",
    "nop",
    "trap",
    ".zero 64", // gdb writes instructions to the entry point and after it
    ".cfi_endproc",
    ".size _start, . - _start",
    "",
    ".globl __rseq_rt_clone",
    ".type __rseq_rt_clone, @function",
    "__rseq_rt_clone:",
    "mr 8, 3",
    "ld 3, 0(8)",   // flags
    "ld 4, 8(8)",   // stack
    "ld 5, 16(8)",  // parent_tid
    "ld 7, 24(8)",  // child_tid
    "ld 6, 32(8)",  // tls
    "li 0, {clone}",
    "sc",
    "bns 3f", // summary overflow says that r3 is an error number
    "neg 3, 3",
    "blr",
    "3: cmpdi 3, 0",
    "beq __rseq_rt_child",
    "blr",
    ".size __rseq_rt_clone, . - __rseq_rt_clone",
    "",
    ".type __rseq_rt_child, @function",
    "__rseq_rt_child:", // a new thread, on its own stack
    ".cfi_startproc",
    ".cfi_undefined 65", // it has no caller
    "ld 3, 0(1)",
    "li 0, 0",
    "std 0, 0(1)",
    "mtlr 0",
    "bl __rseq_rt_thread",
    "nop",
    "trap",
    ".cfi_endproc",
    ".size __rseq_rt_child, . - __rseq_rt_child",
    "",
    ".globl __rseq_rt_unmap_and_exit",
    ".type __rseq_rt_unmap_and_exit, @function",
    "__rseq_rt_unmap_and_exit:",
    "li 0, {munmap}",
    "sc",
    "li 3, 0",
    "li 0, {exit}",
    "sc",
    "trap",
    ".size __rseq_rt_unmap_and_exit, . - __rseq_rt_unmap_and_exit",
    ".popsection",
    clone = const __NR_clone,
    munmap = const __NR_munmap,
    exit = const __NR_exit,
);
