//! From the kernel's initial stack to `main`.

use crate::env::{self, InitialStack};
use crate::process::{ExitCode, PANICKED, exit, exit_now};
use crate::{backend, constructors, eprintln, registration, relro, thread, tls};
use rseq_core::arch;

unsafe extern "Rust" {
    /// What [`entry!`](crate::entry) defines.
    safe fn __rseq_rt_main() -> ExitCode;
}

/// The first Rust code of the program; `_start` of every architecture jumps here, with no thread pointer set.
///
/// # Safety
///
/// `stack` is the stack pointer with which the kernel started the program.
#[unsafe(no_mangle)]
unsafe extern "C" fn __rseq_rt_entry(stack: *mut usize) -> ! {
    // SAFETY: the kernel's initial stack is untouched, and this is the only thread.
    unsafe { backend::start(stack) }
}

/// Runs the program once the main thread has its thread-local storage.
///
/// # Safety
///
/// As for [`__rseq_rt_entry`], and the thread pointer is set.
pub unsafe fn run(stack: *const usize) -> ! {
    // SAFETY: `stack` is the kernel's, there is one thread, and nobody has read these cells yet.
    let initial = unsafe {
        let initial = InitialStack::new(stack);
        env::remember(initial);
        tls::remember(tls::Image::of_program(&initial));
        thread::remember_page_size();
        relro::protect(&initial, thread::page_size());
        initial
    };
    check_thread_pointer();
    // SAFETY: the environment is known, the thread pointer is right, and this is the only thread. Constructors come last.
    unsafe {
        registration::before_main();
        constructors::run(&initial);
    }
    exit(__rseq_rt_main())
}

/// Ends the program if the TLS block is not where its code expects it.
pub fn check_thread_pointer() {
    let area = arch::own_area().as_ptr() as usize;
    if let Err(misplaced) = tls::image().check(arch::thread_pointer(), backend::TLS, area) {
        eprintln!("rseq-rt: {misplaced}");
        exit_now(PANICKED);
    }
}
