//! Start-up without origin.

use super::arch;
use crate::env::InitialStack;
use crate::process::{PANICKED, exit_now};
use crate::{eprintln, start, sys, tls};

/// Starts the program.
///
/// # Safety
///
/// `stack` is the stack pointer with which the kernel started the program.
pub unsafe fn start(stack: *mut usize) -> ! {
    // SAFETY: the stack is as the kernel left it.
    let image = tls::Image::of_program(&unsafe { InitialStack::new(stack) });
    let memory = sys::map(image.reserve(), 0).unwrap_or_else(|errno| {
        eprintln!("rseq-rt: no memory for thread-local storage: {errno}");
        exit_now(PANICKED)
    });
    // SAFETY: the mapping is fresh and has the size that the image asks for; it is never given back, so the thread pointer
    // stays valid. Nothing in this crate uses thread-local storage before this line.
    unsafe {
        arch::set_thread_pointer(image.place(memory.as_ptr(), arch::TLS));
        start::run(stack)
    }
}
