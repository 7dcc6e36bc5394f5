//! 32-bit arm, EABI: the thread pointer is in a coprocessor register that only the kernel writes.

use crate::canary::Canary;
use crate::tls::Variant;
use core::arch::global_asm;
use linux_raw_sys::general::{__ARM_NR_set_tls, __NR_clone, __NR_exit, __NR_munmap};
use rseq_core::sys::syscall;

/// Variant I, with two words at the thread pointer that belong to the ABI (Addenda to the ABI for the Arm
/// Architecture).
pub const TLS: Variant = Variant::Above { reserved: 8, bias: 0 };

/// As GCC and LLVM have it.
pub const CANARY: Canary = Canary::Global;

/// Sets this thread's thread pointer.
///
/// # Safety
///
/// `pointer` belongs to a filled TLS block that lives as long as the thread, which uses no other.
pub unsafe fn set_thread_pointer(pointer: usize) {
    // SAFETY: the call stores a number; the caller answers for what it points to. It has no error.
    let _ = unsafe { syscall(__ARM_NR_set_tls, [pointer, 0, 0, 0, 0, 0]) };
}

global_asm!(
    ".pushsection .text.__rseq_rt, \"ax\", %progbits",
    ".balign 4",
    ".globl _start",
    ".type _start, %function",
    "_start:",
    ".fnstart",
    ".cantunwind", // it has no caller
    "mov r11, #0", // backtraces end here
    "mov lr, #0",
    "mov r0, sp",
    "bic r1, r0, #7",
    "mov sp, r1",
    "bl __rseq_rt_entry",
    "udf #0",
    ".zero 64", // gdb writes instructions to the entry point and after it
    ".fnend",
    ".size _start, . - _start",
    "",
    ".globl __rseq_rt_clone",
    ".type __rseq_rt_clone, %function",
    "__rseq_rt_clone:",
    "push {{r4, r7}}",
    "mov r12, r0",
    "ldr r0, [r12]",       // flags
    "ldr r1, [r12, #4]",   // stack
    "ldr r2, [r12, #8]",   // parent_tid
    "ldr r4, [r12, #12]",  // child_tid
    "ldr r3, [r12, #16]",  // tls
    "mov r7, #{clone}",
    "svc #0",
    "cmp r0, #0",
    "beq __rseq_rt_child",
    "pop {{r4, r7}}",
    "bx lr",
    ".size __rseq_rt_clone, . - __rseq_rt_clone",
    "",
    ".type __rseq_rt_child, %function",
    "__rseq_rt_child:", // a new thread, on its own stack
    ".fnstart",
    ".cantunwind", // it has no caller
    "mov r11, #0",
    "mov lr, #0",
    "ldr r0, [sp]",
    "bl __rseq_rt_thread",
    "udf #0",
    ".fnend",
    ".size __rseq_rt_child, . - __rseq_rt_child",
    "",
    ".globl __rseq_rt_unmap_and_exit",
    ".type __rseq_rt_unmap_and_exit, %function",
    "__rseq_rt_unmap_and_exit:",
    "mov r7, #{munmap}",
    "svc #0",
    "mov r0, #0",
    "mov r7, #{exit}",
    "svc #0",
    "udf #0",
    ".size __rseq_rt_unmap_and_exit, . - __rseq_rt_unmap_and_exit",
    ".popsection",
    clone = const __NR_clone,
    munmap = const __NR_munmap,
    exit = const __NR_exit,
);
