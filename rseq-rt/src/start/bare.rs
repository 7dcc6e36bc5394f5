//! Start-up without origin.

use super::run::run;
use crate::backend::{TLS, set_thread_pointer};
use crate::env::InitialStack;
use crate::headers::Headers;
use crate::process::{PANICKED, exit_now};
use crate::{canary, eprintln, sys, tls};

/// Starts the program.
///
/// # Safety
///
/// `stack` is the stack pointer with which the kernel started the program.
pub unsafe fn start(stack: *mut usize) -> ! {
    // SAFETY: the stack is as the kernel left it.
    let initial = unsafe { InitialStack::new(stack) };
    let image = tls::Image::of_program(Headers::of_program(&initial));
    let memory = sys::map(image.reserve(), 0).unwrap_or_else(|errno| {
        eprintln!("rseq-rt: no memory for thread-local storage: {errno}");
        exit_now(PANICKED)
    });
    // SAFETY: the mapping is fresh and has the size that the image requires; it is never unmapped, so the thread
    // pointer stays valid. This crate uses no thread-local storage before this line.
    unsafe {
        let pointer = image.place(memory.as_ptr(), TLS);
        canary::set(&initial, pointer);
        set_thread_pointer(pointer);
        run(stack)
    }
}
