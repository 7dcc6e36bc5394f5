//! x86-64: `fs` is the thread pointer, set by `arch_prctl` or by `clone`.

use crate::canary::Canary;
use crate::tls::Variant;
use core::arch::global_asm;
use linux_raw_sys::general::{__NR_clone, __NR_exit, __NR_munmap, __NR_rt_sigreturn};

/// Variant II (x86-64 psABI, "Thread-Local Storage").
pub const TLS: Variant = Variant::Below;

/// As GCC and LLVM have it.
pub const CANARY: Canary = Canary::InThread(0x28);

/// Sets this thread's thread pointer.
///
/// # Safety
///
/// `pointer` belongs to a filled TLS block that lives as long as the thread, which uses no other.
#[cfg(not(rseq_rt_origin))]
pub unsafe fn set_thread_pointer(pointer: usize) {
    use linux_raw_sys::general::__NR_arch_prctl;
    /// `<asm/prctl.h>`.
    const ARCH_SET_FS: usize = 0x1002;
    // SAFETY: the call stores a number; the caller answers for what it points to. It has no error for user addresses.
    let _ = unsafe { rseq_core::sys::syscall(__NR_arch_prctl, [ARCH_SET_FS, pointer, 0, 0, 0, 0]) };
}

/// The code that a signal handler returns to, which only x86-64 requires (`SA_RESTORER`).
pub fn signal_return() -> usize {
    unsafe extern "C" {
        fn __rseq_rt_signal_return();
    }
    __rseq_rt_signal_return as *const () as usize
}

global_asm!(
    ".pushsection .text.__rseq_rt, \"ax\", @progbits",
    ".globl _start",
    ".type _start, @function",
    "_start:",
    ".cfi_startproc",
    ".cfi_undefined 16", // it has no caller
    "xor ebp, ebp",         // backtraces end here
    "mov rdi, rsp",
    "and rsp, -16",
    "call __rseq_rt_entry",
    "ud2",
    ".zero 64", // gdb writes instructions to the entry point and after it
    ".cfi_endproc",
    ".size _start, . - _start",
    "",
    ".globl __rseq_rt_clone",
    ".type __rseq_rt_clone, @function",
    "__rseq_rt_clone:",     // rdi = &CloneArgs
    "mov eax, {clone}",
    "mov rsi, [rdi + 8]",   // stack
    "mov rdx, [rdi + 16]",  // parent_tid
    "mov r10, [rdi + 24]",  // child_tid
    "mov r8, [rdi + 32]",   // tls
    "mov rdi, [rdi]",       // flags
    "syscall",
    "test rax, rax",
    "jz __rseq_rt_child",
    "ret",
    ".size __rseq_rt_clone, . - __rseq_rt_clone",
    "",
    ".type __rseq_rt_child, @function",
    "__rseq_rt_child:", // a new thread, on its own stack
    ".cfi_startproc",
    ".cfi_undefined 16", // it has no caller
    "xor ebp, ebp",
    "mov rdi, [rsp]",
    "call __rseq_rt_thread",
    "ud2",
    ".cfi_endproc",
    ".size __rseq_rt_child, . - __rseq_rt_child",
    "",
    ".globl __rseq_rt_unmap_and_exit",
    ".type __rseq_rt_unmap_and_exit, @function",
    "__rseq_rt_unmap_and_exit:",
    "mov eax, {munmap}",
    "syscall",
    "xor edi, edi",
    "mov eax, {exit}",
    "syscall",
    "ud2",
    ".size __rseq_rt_unmap_and_exit, . - __rseq_rt_unmap_and_exit",
    "",
    ".globl __rseq_rt_signal_return",
    ".type __rseq_rt_signal_return, @function",
    "nop", // unwinders look one byte before a return address
    "__rseq_rt_signal_return:",
    "mov rax, {sigreturn}", // gdb and unwinders know a signal's frame by these very bytes
    "syscall",
    ".size __rseq_rt_signal_return, . - __rseq_rt_signal_return",
    ".popsection",
    clone = const __NR_clone,
    munmap = const __NR_munmap,
    exit = const __NR_exit,
    sigreturn = const __NR_rt_sigreturn,
);
