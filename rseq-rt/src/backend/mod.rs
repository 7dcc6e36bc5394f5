//! The differences between architectures, one file each.
//!
//! # The contract of an architecture's file
//!
//! | item | meaning |
//! |---|---|
//! | `_start` | calls `__rseq_rt_entry` with the initial stack pointer, on an aligned stack; ends backtraces |
//! | `TLS: Variant` | where the ABI puts the TLS block |
//! | `CANARY: Canary` | where the ABI has the stack canary |
//! | `set_thread_pointer(pointer)` | where the program starts without origin |
//! | `__rseq_rt_clone(&CloneArgs) -> isize` | `clone(2)`; the child runs `__rseq_rt_child` |
//! | `__rseq_rt_unmap_and_exit(address, len) -> !` | `munmap(2)`, then `exit(2)`, without touching the stack |
//!
//! gdb reads the instructions around a return address, so code follows the call in `_start`. `__rseq_rt_child` calls
//! `__rseq_rt_thread` with the word at the top of the child's stack. x86-64 has `signal_return() -> usize`, too.
//!
//! Threads are the same everywhere, without origin: origin 0.26.2 leaks the stack of a thread that `clone(2)` refused,
//! which a program that continues after EAGAIN cannot afford, and one mapping can hold stack, closure and TLS block.

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "x86", path = "x86.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(any(target_arch = "riscv64", target_arch = "riscv32"), path = "riscv.rs")]
#[cfg_attr(target_arch = "s390x", path = "s390x.rs")]
#[cfg_attr(target_arch = "powerpc64", path = "powerpc64.rs")]
#[cfg_attr(target_arch = "loongarch64", path = "loongarch64.rs")]
#[cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), path = "mips64.rs")]
mod arch;

#[cfg(not(rseq_rt_origin))]
pub use arch::set_thread_pointer;
#[cfg(target_arch = "x86_64")]
pub use arch::signal_return;
pub use arch::{CANARY, TLS};

use core::ptr::NonNull;

/// The arguments of `clone(2)`, in the order in which the assembly of each architecture reads them.
#[repr(C)]
pub struct CloneArgs {
    /// `CLONE_*`.
    pub flags: usize,
    /// The child's stack pointer; the word there is the argument of `__rseq_rt_thread`.
    pub stack: usize,
    /// The address where the kernel stores the child's thread number, for the parent.
    pub parent_tid: usize,
    /// The address of the word that the kernel clears and wakes when the child is gone.
    pub child_tid: usize,
    /// The child's thread pointer.
    pub tls: usize,
}

unsafe extern "C" {
    fn __rseq_rt_clone(args: *const CloneArgs) -> isize;
    fn __rseq_rt_unmap_and_exit(address: *mut u8, len: usize) -> !;
}

/// Bytes that the stack of a new thread keeps above its stack pointer: ABIs let a function save registers and arguments
/// in its caller's frame (160 bytes on s390x, the most of all).
pub const CALLER_FRAME: usize = 256;

/// Creates a thread. Returns what `clone(2)` returns.
///
/// # Safety
///
/// The stack, the thread pointer and the two words belong to the new thread until it has ended.
pub unsafe fn clone(args: &CloneArgs) -> isize {
    // SAFETY: by the caller's contract the child has its own stack and TLS; the parent only gets a number.
    unsafe { __rseq_rt_clone(args) }
}

/// Frees the mapping that holds the current stack, and ends the thread.
///
/// # Safety
///
/// The mapping is not used afterwards; no signal handler can run; the kernel will not clear a word in it.
pub unsafe fn unmap_and_exit(address: NonNull<u8>, len: usize) -> ! {
    // SAFETY: the caller's contract; the assembly uses no stack.
    unsafe { __rseq_rt_unmap_and_exit(address.as_ptr(), len) }
}
