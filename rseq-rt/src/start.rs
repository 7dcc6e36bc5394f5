//! From the kernel's initial stack to `main`.

use crate::env::{self, InitialStack};
use crate::headers::Headers;
use crate::io::STDERR;
use crate::process::{ExitCode, PANICKED, exit, exit_now};
use crate::{
    backend, constructors, descriptors, eprintln, overflow, page, registration, relocate, relro, sys, thread, tls,
};
use linux_raw_sys::elf::PT_INTERP;
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
    // SAFETY: the stack is the kernel's, and at most a dynamic linker has relocated the program.
    let known = unsafe { relocate::relocate(stack as usize) };
    // SAFETY: the same stack.
    unsafe { relocated(stack, known) }
}

/// Starts the program, whose addresses are final from here on, unless `known` is false: then some are not.
///
/// # Safety
///
/// As [`__rseq_rt_entry`].
#[inline(never)]
unsafe fn relocated(stack: *mut usize, known: bool) -> ! {
    // SAFETY: the kernel's initial stack is unchanged.
    let initial = unsafe { InitialStack::new(stack) };
    if headers(&initial).find(PT_INTERP).is_some() {
        refuse("rseq-rt: the program was linked for a dynamic linker: link with -static or -static-pie\n");
    }
    if !known {
        refuse("rseq-rt: the program has relocations that need a dynamic linker\n");
    }
    // SAFETY: the stack is the kernel's.
    unsafe { backend::start(stack) }
}

/// The program's headers. Ends a program that has none.
pub fn headers(initial: &InitialStack) -> Headers {
    Headers::of(initial).unwrap_or_else(|| refuse("rseq-rt: the kernel does not say where the program is (AT_PHDR)\n"))
}

/// Ends the program before it has begun. It relies on nothing of the runtime.
#[cold]
pub fn refuse(why: &str) -> ! {
    let _ = sys::write(STDERR.descriptor(), why.as_bytes());
    exit_now(PANICKED)
}

/// Runs the program once the main thread has its thread-local storage.
///
/// # Safety
///
/// As for [`__rseq_rt_entry`], and the thread pointer is set.
pub unsafe fn run(stack: *const usize) -> ! {
    // SAFETY: `stack` is the kernel's, there is one thread, and these cells have not been read yet.
    let initial = unsafe {
        let initial = InitialStack::new(stack);
        let headers = headers(&initial);
        env::remember(initial);
        tls::remember(tls::Image::of_program(headers));
        page::remember_size();
        relro::protect(headers, page::size());
        initial
    };
    descriptors::open_standard();
    check_thread_pointer();
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

/// Ends the program if the TLS block is not where its code expects it.
pub fn check_thread_pointer() {
    let area = arch::own_area().as_ptr() as usize;
    if let Err(misplaced) = tls::image().check(arch::thread_pointer(), backend::TLS, area) {
        eprintln!("rseq-rt: {misplaced}");
        exit_now(PANICKED);
    }
}
