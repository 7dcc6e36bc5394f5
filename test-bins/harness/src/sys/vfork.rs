//! vfork: a child that shares this process's memory, thread pointer and stack while its parent waits.

use linux_raw_sys::general::{__NR_clone, CLONE_VFORK, CLONE_VM};
use rseq_core::sys::Errno;

use super::process;

/// Runs `body` in a vfork child and returns the child's number once it has exited with the code of `body`.
///
/// # Errors
///
/// The kernel's. `None` in builds without optimisation, where the system call is a separate function: the child would
/// return from it first, and overwrite the frame that the parent has yet to return from.
///
/// # Safety
///
/// `body` returns, and changes no memory in a way that this program does not expect.
#[inline(never)]
pub unsafe fn vfork(body: extern "C" fn() -> u8) -> Option<Result<u32, Errno>> {
    if cfg!(debug_assertions) {
        return None;
    }
    let args = process::fork_args(CLONE_VM | CLONE_VFORK);
    // SAFETY: the child continues in this frame, below which it builds its own frames, and never returns from it; the
    // parent sleeps until then and uses nothing but the call's result.
    match unsafe { clone(args) } {
        0 => process::exit(body()),
        pid @ 1.. => Some(Ok(pid as u32)),
        error => Some(Err(Errno(-error as i32))),
    }
}

/// `clone(2)`, with nothing on the stack: the child would overwrite it.
///
/// # Safety
///
/// The caller answers for what the child does.
#[inline(always)]
#[cfg(not(target_arch = "x86"))]
unsafe fn clone([first, second, ..]: [usize; 5]) -> isize {
    // SAFETY: the kernel is given no memory; the rest is the caller's contract.
    unsafe { rseq_core::arch::syscall(__NR_clone, [first, second, 0, 0, 0, 0]) }
}

/// The same for cores whose system call saves registers on the stack, because the compiler reserves ebx.
///
/// # Safety
///
/// The caller answers for what the child does.
#[inline(always)]
#[cfg(target_arch = "x86")]
unsafe fn clone([flags, stack, ..]: [usize; 5]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in eax, arguments in ebx, ecx and edx; it keeps all other registers.
    // Without the flags for them, it uses no other arguments. The rest is the caller's contract.
    unsafe {
        core::arch::asm!(
            "xchg edi, ebx",
            "int 0x80",
            "xchg edi, ebx",
            inlateout("eax") __NR_clone as isize => value,
            inout("edi") flags => _,
            in("ecx") stack,
            in("edx") 0,
            options(nostack)
        );
    }
    value
}
