//! mips64, n64 ABI: the kernel keeps the thread pointer, and `rdhwr` reads it. Inline assembly for MIPS is unstable
//! Rust.

use crate::canary::Canary;
use crate::tls::Variant;
use core::arch::global_asm;
use linux_raw_sys::general::{__NR_clone, __NR_exit, __NR_munmap, __NR_set_thread_area};
use rseq_core::sys::syscall;

/// Variant I, with the block 0x7000 bytes below the thread pointer (the MIPS chapter of glibc's TLS ABI).
pub const TLS: Variant = Variant::Above { reserved: 0, bias: 0x7000 };

/// As GCC and LLVM have it.
pub const CANARY: Canary = Canary::Global;

/// Sets this thread's thread pointer.
///
/// # Safety
///
/// `pointer` belongs to a filled TLS block that lives as long as the thread, which uses no other.
pub unsafe fn set_thread_pointer(pointer: usize) {
    // SAFETY: the call stores a number; the caller answers for what it points to. It has no error.
    let _ = unsafe { syscall(__NR_set_thread_area, [pointer, 0, 0, 0, 0, 0]) };
}

/// Calls a function with its address in `$25`, from which it finds its global pointer.
macro_rules! call {
    ($function:literal) => {
        concat!(
            "lui $25, %highest(",
            $function,
            ")\n",
            "daddiu $25, $25, %higher(",
            $function,
            ")\n",
            "dsll $25, $25, 16\n",
            "daddiu $25, $25, %hi(",
            $function,
            ")\n",
            "dsll $25, $25, 16\n",
            "daddiu $25, $25, %lo(",
            $function,
            ")\n",
            "jalr $25\n",
            "nop"
        )
    };
}

global_asm!(
    ".pushsection .text.__rseq_rt, \"ax\", @progbits",
    ".set push",
    ".set noreorder",
    ".set noat",
    ".balign 8",
    ".globl _start",
    ".globl __start", // lld's name for it
    ".type _start, @function",
    "_start:",
    "__start:",
    ".cfi_startproc",
    ".cfi_undefined 31", // it has no caller
    "move $30, $0", // backtraces end here
    "move $31, $0",
    "move $4, $29",
    "daddiu $2, $0, -16",
    "and $29, $29, $2",
    call!("__rseq_rt_entry"),
    "break",
    ".zero 64", // gdb writes instructions to the entry point and after it
    ".cfi_endproc",
    ".size _start, . - _start",
    "",
    ".globl __rseq_rt_clone",
    ".type __rseq_rt_clone, @function",
    "__rseq_rt_clone:",
    "move $12, $4",
    "ld $4, 0($12)",   // flags
    "ld $5, 8($12)",   // stack
    "ld $6, 16($12)",  // parent_tid
    "ld $8, 24($12)",  // child_tid
    "ld $7, 32($12)",  // tls
    "addiu $2, $0, {clone}",
    "syscall",
    "bnez $7, 3f", // then $2 is an error number
    "nop",
    "beqz $2, __rseq_rt_child",
    "nop",
    "jr $31",
    "nop",
    "3: jr $31",
    "dnegu $2, $2", // in the branch's delay slot
    ".size __rseq_rt_clone, . - __rseq_rt_clone",
    "",
    ".type __rseq_rt_child, @function",
    "__rseq_rt_child:", // a new thread, on its own stack
    ".cfi_startproc",
    ".cfi_undefined 31", // it has no caller
    "move $30, $0",
    "move $31, $0",
    "ld $4, 0($29)",
    call!("__rseq_rt_thread"),
    "break",
    ".cfi_endproc",
    ".size __rseq_rt_child, . - __rseq_rt_child",
    "",
    ".globl __rseq_rt_unmap_and_exit",
    ".type __rseq_rt_unmap_and_exit, @function",
    "__rseq_rt_unmap_and_exit:",
    "addiu $2, $0, {munmap}",
    "syscall",
    "move $4, $0",
    "addiu $2, $0, {exit}",
    "syscall",
    "break",
    ".size __rseq_rt_unmap_and_exit, . - __rseq_rt_unmap_and_exit",
    ".set pop",
    ".popsection",
    clone = const __NR_clone,
    munmap = const __NR_munmap,
    exit = const __NR_exit,
);
