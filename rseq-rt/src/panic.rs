//! Panics end the process, and the symbols that the precompiled `core` wants from an unwinder.

use crate::io::{STDERR, write_fmt};
use crate::process::{PANICKED, exit_now};
use crate::sys;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

/// The number of the thread that panicked first, or 0.
static PANICKING: AtomicU32 = AtomicU32::new(0);

/// How long another thread's panic waits for the first one's message, in hundredths of a second.
const PATIENCE: u32 = 100;

/// Prints file, line and message, and ends the process with [`PANICKED`]. It uses no thread-local storage, so that it
/// works before there is any.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let this = sys::gettid();
    match PANICKING.compare_exchange(0, this, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => say(format_args!("{info}\n")),
        // The message panics.
        Err(first) if first == this => match info.location() {
            Some(place) => say(format_args!("panicked at {place}, in the message of a panic\n")),
            None => say(format_args!("panicked in the message of a panic\n")),
        },
        // The first thread ends the process when it has said why. A child process has no such thread.
        Err(_) => {
            for _ in 0..PATIENCE {
                let _ = sys::sleep(&mut [0, 10_000_000]);
            }
            say(format_args!("{info}\n"));
        }
    }
    exit_now(PANICKED)
}

fn say(text: core::fmt::Arguments<'_>) {
    let _ = write_fmt(STDERR, text);
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
