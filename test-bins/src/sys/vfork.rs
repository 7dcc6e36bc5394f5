//! vfork: a child that shares this process's memory, thread pointer and stack while its parent waits.

use linux_raw_sys::general::{__NR_clone3, CLONE_VFORK, CLONE_VM, clone_args};
use rseq_core::sys::Errno;

use super::process;

/// Runs `body` in a vfork child and returns the child's number once it has exited with the code of `body`.
///
/// # Errors
///
/// The kernel's. `None` in builds without optimisation, where the system call is a function of its own: the child would
/// return from it first, and overwrite the frame that the parent still has to return from.
///
/// # Safety
///
/// `body` returns, and changes no memory in a way that this program does not expect.
#[inline(never)]
pub unsafe fn vfork(body: extern "C" fn() -> u8) -> Option<Result<u32, Errno>> {
    if cfg!(debug_assertions) {
        return None;
    }
    let args = process::clone_args(CLONE_VM | CLONE_VFORK);
    let raw = [&raw const args as usize, size_of::<clone_args>(), 0, 0, 0, 0];
    // SAFETY: the child goes on in this frame, below which it builds its own frames, and never returns from it; the parent
    // sleeps until then and uses nothing but the call's result.
    match unsafe { rseq_core::arch::syscall(__NR_clone3, raw) } {
        0 => process::exit(body()),
        pid @ 1.. => Some(Ok(pid as u32)),
        error => Some(Err(Errno(-error as i32))),
    }
}
