//! LoongArch, 64 bits: `$tp` is the thread pointer, an ordinary register.

use crate::canary::Canary;
use crate::tls::Variant;
use core::arch::{asm, global_asm};
use linux_raw_sys::general::{__NR_clone, __NR_exit, __NR_munmap};

/// Variant I, with the block right at the thread pointer (ELF psABI for the LoongArch Architecture).
pub const TLS: Variant = Variant::Above { reserved: 0, bias: 0 };

/// As GCC and LLVM have it.
pub const CANARY: Canary = Canary::Global;

/// Sets this thread's thread pointer.
///
/// # Safety
///
/// `pointer` belongs to a filled TLS block that lives as long as the thread, which uses no other.
pub unsafe fn set_thread_pointer(pointer: usize) {
    // SAFETY: compiled code never uses this register for anything else; the caller answers for what it points to.
    unsafe { asm!("move $tp, {}", in(reg) pointer, options(nostack, preserves_flags)) };
}

global_asm!(
    ".pushsection .text.__rseq_rt, \"ax\", @progbits",
    ".balign 4",
    ".globl _start",
    ".type _start, @function",
    "_start:",
    ".cfi_startproc",
    ".cfi_undefined 1", // it has no caller
    "move $fp, $zero", // backtraces end here
    "move $ra, $zero",
    "move $a0, $sp",
    "bstrins.d $sp, $zero, 3, 0", // a multiple of 16
    "bl __rseq_rt_entry",
    "break 0",
    ".zero 64", // gdb writes instructions to the entry point and after it
    ".cfi_endproc",
    ".size _start, . - _start",
    "",
    ".globl __rseq_rt_clone",
    ".type __rseq_rt_clone, @function",
    "__rseq_rt_clone:",
    "move $t0, $a0",
    "ld.d $a0, $t0, 0",   // flags
    "ld.d $a1, $t0, 8",   // stack
    "ld.d $a2, $t0, 16",  // parent_tid
    "ld.d $a3, $t0, 24",  // child_tid
    "ld.d $a4, $t0, 32",  // tls
    "li.w $a7, {clone}",
    "syscall 0",
    "beqz $a0, __rseq_rt_child",
    "ret",
    ".size __rseq_rt_clone, . - __rseq_rt_clone",
    "",
    ".type __rseq_rt_child, @function",
    "__rseq_rt_child:", // a new thread, on its own stack
    ".cfi_startproc",
    ".cfi_undefined 1", // it has no caller
    "move $fp, $zero",
    "move $ra, $zero",
    "ld.d $a0, $sp, 0",
    "bl __rseq_rt_thread",
    "break 0",
    ".cfi_endproc",
    ".size __rseq_rt_child, . - __rseq_rt_child",
    "",
    ".globl __rseq_rt_unmap_and_exit",
    ".type __rseq_rt_unmap_and_exit, @function",
    "__rseq_rt_unmap_and_exit:",
    "li.w $a7, {munmap}",
    "syscall 0",
    "move $a0, $zero",
    "li.w $a7, {exit}",
    "syscall 0",
    "break 0",
    ".size __rseq_rt_unmap_and_exit, . - __rseq_rt_unmap_and_exit",
    ".popsection",
    clone = const __NR_clone,
    munmap = const __NR_munmap,
    exit = const __NR_exit,
);
