//! The alternate signal stack of each thread (`sigaltstack(2)`), for the handler of a fault: a thread whose stack is
//! used up cannot run it there.

use crate::{env, page, sys};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use linux_raw_sys::auxvec::AT_MINSIGSTKSZ;
use linux_raw_sys::general::MAP_STACK;

/// Bytes of an alternate stack in addition to the frame that the kernel puts there: enough to format a line without
/// optimization.
const ROOM: usize = 16 << 10;

/// Bytes for the frame if the kernel does not provide the size.
const FRAME: usize = 8 << 10;

/// Whether the main thread has its alternate stack, so that others get theirs.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Bytes of an alternate stack.
pub fn size() -> usize {
    ROOM + env::auxv(AT_MINSIGSTKSZ as usize).unwrap_or(FRAME)
}

/// Gives the main thread an alternate stack, and installs the handler of SIGSEGV for the process, unless SIGSEGV is
/// ignored.
pub fn install(handler: sys::FaultHandler) {
    let len = size().next_multiple_of(page::size());
    let Ok(stack) = sys::map(len, MAP_STACK) else { return };
    // SAFETY: the mapping is this program's, used for nothing else, and is not unmapped once the kernel has it.
    if unsafe { sys::set_alternate_stack(stack, len) }.is_err() {
        // SAFETY: the mapping was made above, and the kernel has refused it, so that nothing uses it.
        unsafe { sys::unmap(stack, len) };
        return;
    }
    INSTALLED.store(true, Ordering::Relaxed);
    // If this fails, as SIGSEGV is ignored, there is no line. The program may have handlers for other signals.
    // SAFETY: `restorer` has what handlers return to, where the kernel does not.
    let _ = unsafe { sys::set_fault_handler(handler, restorer()) };
}

/// The address of the return from a handler. Only on x86-64, the kernel provides none.
fn restorer() -> usize {
    #[cfg(target_arch = "x86_64")]
    return crate::backend::signal_return();
    #[cfg(not(target_arch = "x86_64"))]
    return 0;
}

/// Gives the calling thread, which is not the main one, its alternate stack.
///
/// # Safety
///
/// The `len` bytes are for this thread only. They stay until it has ended, or has blocked all signals for good.
pub unsafe fn set(stack: NonNull<u8>, len: usize) {
    if INSTALLED.load(Ordering::Relaxed) {
        // SAFETY: the caller's contract. If the kernel refuses it, SIGSEGV ends the process without the line.
        let _ = unsafe { sys::set_alternate_stack(stack, len) };
    }
}
