//! s390x: the thread pointer is in access registers 0 (high half) and 1 (low half).

use crate::canary::Canary;
use crate::tls::Variant;
use core::arch::{asm, global_asm};
use linux_raw_sys::general::{__NR_clone, __NR_exit, __NR_munmap};

/// Variant II (zSeries ELF ABI supplement, "Thread-local storage").
pub const TLS: Variant = Variant::Below;

/// As GCC and LLVM have it.
pub const CANARY: Canary = Canary::InThread(0x28);

/// Sets this thread's thread pointer.
///
/// # Safety
///
/// `pointer` belongs to a filled TLS block that lives as long as the thread, which uses no other.
pub unsafe fn set_thread_pointer(pointer: usize) {
    // SAFETY: compiled code uses these two access registers for nothing else; the caller answers for what they point
    // to.
    unsafe {
        asm!(
            "sar %a1, {pointer}",
            "srlg {pointer}, {pointer}, 32",
            "sar %a0, {pointer}",
            pointer = inout(reg) pointer => _,
            options(nostack, preserves_flags)
        );
    }
}

global_asm!(
    ".pushsection .text.__rseq_rt, \"ax\", @progbits",
    ".balign 4",
    ".globl _start",
    ".type _start, @function",
    "_start:",
    ".cfi_startproc",
    ".cfi_undefined 14", // it has no caller
    "lgr %r2, %r15",
    "aghi %r15, -160", // the frame in which the callee saves registers
    "xc 0(8, %r15), 0(%r15)", // backtraces end here
    "brasl %r14, __rseq_rt_entry",
    ".short 0", // an illegal instruction
    ".zero 64", // gdb writes instructions to the entry point and after it
    ".cfi_endproc",
    ".size _start, . - _start",
    "",
    // On this architecture alone, the call takes the stack first.
    ".globl __rseq_rt_clone",
    ".type __rseq_rt_clone, @function",
    "__rseq_rt_clone:",
    "stg %r6, 48(%r15)",  // its place in the caller's frame
    "lgr %r1, %r2",
    "lg %r3, 0(%r1)",     // flags
    "lg %r2, 8(%r1)",     // stack
    "lg %r4, 16(%r1)",    // parent_tid
    "lg %r5, 24(%r1)",    // child_tid
    "lg %r6, 32(%r1)",    // tls
    "lghi %r1, {clone}",
    "svc 0",
    "ltgr %r2, %r2",
    "je __rseq_rt_child",
    "lg %r6, 48(%r15)",
    "br %r14",
    ".size __rseq_rt_clone, . - __rseq_rt_clone",
    "",
    ".type __rseq_rt_child, @function",
    "__rseq_rt_child:", // a new thread, on its own stack
    ".cfi_startproc",
    ".cfi_undefined 14", // it has no caller
    "lg %r2, 0(%r15)",
    "xc 0(8, %r15), 0(%r15)",
    "brasl %r14, __rseq_rt_thread",
    ".short 0",
    ".cfi_endproc",
    ".size __rseq_rt_child, . - __rseq_rt_child",
    "",
    ".globl __rseq_rt_unmap_and_exit",
    ".type __rseq_rt_unmap_and_exit, @function",
    "__rseq_rt_unmap_and_exit:",
    "lghi %r1, {munmap}",
    "svc 0",
    "lghi %r2, 0",
    "lghi %r1, {exit}",
    "svc 0",
    ".short 0",
    ".size __rseq_rt_unmap_and_exit, . - __rseq_rt_unmap_and_exit",
    ".popsection",
    clone = const __NR_clone,
    munmap = const __NR_munmap,
    exit = const __NR_exit,
);
