//! From a valid thread pointer to `main`.

use crate::backend::TLS;
use crate::env::{self, InitialStack};
use crate::headers::Headers;
use crate::process::{ExitCode, exit};
use crate::{constructors, descriptors, overflow, page, registration, relro, thread, tls};

unsafe extern "Rust" {
    /// What [`entry!`](crate::entry) defines.
    safe fn __rseq_rt_main() -> ExitCode;
}

/// Runs the program once the main thread has its thread-local storage.
///
/// # Safety
///
/// `stack` is the stack pointer with which the kernel started the program, and the thread pointer is set.
pub unsafe fn run(stack: *const usize) -> ! {
    // SAFETY: `stack` is the kernel's, there is one thread, and these cells have not been read yet.
    let initial = unsafe {
        let initial = InitialStack::new(stack);
        let headers = Headers::of_program(&initial);
        env::remember(initial);
        tls::remember(tls::Image::of_program(headers));
        page::remember_size();
        relro::protect(headers, page::size());
        initial
    };
    descriptors::open_standard();
    tls::check_thread_pointer(TLS);
    thread::remember_main();
    overflow::watch_main();
    // SAFETY: the environment is set, the thread pointer is valid, and this is the only thread. Constructors come last,
    // when all that `main` can do works.
    unsafe {
        registration::before_main();
        constructors::run(&initial);
    }
    let code = __rseq_rt_main();
    thread::drop_locals();
    exit(code)
}
