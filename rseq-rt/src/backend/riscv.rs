//! RISC-V, 64 and 32 bits: `tp` is the thread pointer, an ordinary register.

use crate::canary::Canary;
use crate::tls::Variant;
use core::arch::global_asm;
use linux_raw_sys::general::{__NR_clone, __NR_exit, __NR_munmap};

/// Variant I, with the block right at the thread pointer (RISC-V ELF psABI).
pub const TLS: Variant = Variant::Above { reserved: 0, bias: 0 };

/// As GCC and LLVM have it.
pub const CANARY: Canary = Canary::Global;

const WORD: usize = size_of::<usize>();

/// Loads a word.
#[cfg(target_arch = "riscv64")]
macro_rules! load {
    ($operands:literal) => {
        concat!("ld ", $operands)
    };
}
#[cfg(target_arch = "riscv32")]
macro_rules! load {
    ($operands:literal) => {
        concat!("lw ", $operands)
    };
}

/// Sets this thread's thread pointer.
///
/// # Safety
///
/// `pointer` belongs to a filled TLS block that lives as long as the thread, which uses no other.
#[cfg(not(rseq_rt_origin))]
pub unsafe fn set_thread_pointer(pointer: usize) {
    // SAFETY: compiled code never uses this register for anything else; the caller answers for what it points to.
    unsafe { core::arch::asm!("mv tp, {}", in(reg) pointer, options(nostack, preserves_flags)) };
}

global_asm!(
    ".pushsection .text.__rseq_rt, \"ax\", @progbits",
    ".balign 4",
    ".globl _start",
    ".type _start, @function",
    "_start:",
    ".cfi_startproc",
    ".cfi_undefined 1", // it has no caller
    ".option push",
    ".option norelax", // relaxed, this would be gp = gp
    "lla gp, __global_pointer$",
    ".option pop",
    "li s0, 0", // backtraces end here
    "li ra, 0",
    "mv a0, sp",
    "andi sp, sp, -16",
    "call __rseq_rt_entry",
    "unimp",
    ".zero 64", // gdb writes instructions to the entry point and after it
    ".cfi_endproc",
    ".size _start, . - _start",
    "",
    ".globl __rseq_rt_clone",
    ".type __rseq_rt_clone, @function",
    "__rseq_rt_clone:",
    "mv t0, a0",
    load!("a0, 0(t0)"),           // flags
    load!("a1, {word}(t0)"),      // stack
    load!("a2, 2*{word}(t0)"),    // parent_tid
    load!("a4, 3*{word}(t0)"),    // child_tid
    load!("a3, 4*{word}(t0)"),    // tls
    "li a7, {clone}",
    "ecall",
    "beqz a0, __rseq_rt_child",
    "ret",
    ".size __rseq_rt_clone, . - __rseq_rt_clone",
    "",
    ".type __rseq_rt_child, @function",
    "__rseq_rt_child:", // a new thread, on its own stack
    ".cfi_startproc",
    ".cfi_undefined 1", // it has no caller
    "li s0, 0",
    "li ra, 0",
    load!("a0, 0(sp)"),
    "call __rseq_rt_thread",
    "unimp",
    ".cfi_endproc",
    ".size __rseq_rt_child, . - __rseq_rt_child",
    "",
    ".globl __rseq_rt_unmap_and_exit",
    ".type __rseq_rt_unmap_and_exit, @function",
    "__rseq_rt_unmap_and_exit:",
    "li a7, {munmap}",
    "ecall",
    "li a0, 0",
    "li a7, {exit}",
    "ecall",
    "unimp",
    ".size __rseq_rt_unmap_and_exit, . - __rseq_rt_unmap_and_exit",
    ".popsection",
    word = const WORD,
    clone = const __NR_clone,
    munmap = const __NR_munmap,
    exit = const __NR_exit,
);
