//! Panics end the process, and the symbols that the precompiled `core` wants from an unwinder.

use crate::io::{STDERR, write_fmt};
use crate::process::{PANICKED, exit_now};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

static PANICKING: AtomicBool = AtomicBool::new(false);

/// Prints file, line and message, and ends the process with [`PANICKED`]. It uses no thread-local storage, so that it
/// works before there is any.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // A message that panics itself must not recurse.
    if !PANICKING.swap(true, Ordering::Relaxed) {
        let _ = write_fmt(STDERR, format_args!("{info}\n"));
    }
    exit_now(PANICKED)
}

/// Nothing unwinds here: with `panic = "abort"` no caller is left, but unoptimised code still names this function.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() -> ! {
    exit_now(PANICKED)
}

/// As [`rust_eh_personality`].
#[cfg(not(rseq_rt_origin))]
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit_now(PANICKED)
}

/// As [`rust_eh_personality`]; the unwind tables of arm name these.
#[cfg(target_arch = "arm")]
mod arm {
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_unwind_cpp_pr0() {}

    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_unwind_cpp_pr1() {}
}
