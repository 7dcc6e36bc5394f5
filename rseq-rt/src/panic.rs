//! Panics end the process, and the symbols that the precompiled `core` wants from an unwinder.
//!
//! Both are the program's to define, as a program on std has std's: [`panic_handler!`](crate::panic_handler) does it,
//! and the feature `panic-handler` does it here.

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
#[doc(hidden)]
pub fn end(info: &PanicInfo<'_>) -> ! {
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

/// Ends the process where code would unwind.
#[doc(hidden)]
pub fn unwind() -> ! {
    exit_now(PANICKED)
}

fn say(text: core::fmt::Arguments<'_>) {
    let _ = write_fmt(STDERR, text);
}

/// Defines the panic handler of a program: it prints file, line and message, and ends the process with 101.
///
/// The feature `panic-handler`, on by default, does the same. A package that switches it off has this, or a handler of
/// its own, in each program:
///
/// ```ignore
/// #[cfg(not(test))] // a test has std's
/// rseq_rt::panic_handler!();
/// ```
#[macro_export]
#[cfg(not(feature = "hosted"))]
macro_rules! panic_handler {
    () => {
        #[panic_handler]
        fn __rseq_rt_panic(info: &::core::panic::PanicInfo<'_>) -> ! {
            $crate::panic::end(info)
        }

        /// Nothing unwinds here: with `panic = "abort"` no caller is left, but unoptimised code still names this
        /// function.
        #[unsafe(no_mangle)]
        extern "C" fn rust_eh_personality() -> ! {
            $crate::panic::unwind()
        }

        $crate::__unwinder!();
    };
}

/// Nothing: std has a panic handler.
#[macro_export]
#[cfg(feature = "hosted")]
macro_rules! panic_handler {
    () => {};
}

/// What origin defines itself, and what the unwind tables of arm name.
#[doc(hidden)]
#[macro_export]
#[cfg(rseq_rt_origin)]
macro_rules! __unwinder {
    () => {};
}

#[doc(hidden)]
#[macro_export]
#[cfg(all(not(rseq_rt_origin), not(target_arch = "arm")))]
macro_rules! __unwinder {
    () => {
        #[unsafe(no_mangle)]
        extern "C" fn _Unwind_Resume() -> ! {
            $crate::panic::unwind()
        }
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(all(not(rseq_rt_origin), target_arch = "arm"))]
macro_rules! __unwinder {
    () => {
        #[unsafe(no_mangle)]
        extern "C" fn _Unwind_Resume() -> ! {
            $crate::panic::unwind()
        }

        #[unsafe(no_mangle)]
        extern "C" fn __aeabi_unwind_cpp_pr0() {}

        #[unsafe(no_mangle)]
        extern "C" fn __aeabi_unwind_cpp_pr1() {}
    };
}

#[cfg(feature = "panic-handler")]
crate::panic_handler!();
