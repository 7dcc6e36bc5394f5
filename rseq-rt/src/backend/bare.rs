//! Start-up without origin.

use super::arch;
use crate::env::InitialStack;
use crate::process::{PANICKED, exit_now};
use crate::{canary, eprintln, start, sys, tls};

/// Starts the program.
///
/// # Safety
///
/// `stack` is the stack pointer with which the kernel started the program.
pub unsafe fn start(stack: *mut usize) -> ! {
    // SAFETY: the stack is as the kernel left it.
    let initial = unsafe { InitialStack::new(stack) };
    let image = tls::Image::of_program(start::headers(&initial));
    let memory = sys::map(image.reserve(), 0).unwrap_or_else(|errno| {
        eprintln!("rseq-rt: no memory for thread-local storage: {errno}");
        exit_now(PANICKED)
    });
    // SAFETY: the mapping is fresh and has the size that the image requires; it is never unmapped, so the thread
    // pointer stays valid. This crate uses no thread-local storage before this line.
    unsafe {
        let pointer = image.place(memory.as_ptr(), arch::TLS);
        canary::set(&initial, pointer);
        arch::set_thread_pointer(pointer);
        start::run(stack)
    }
}
