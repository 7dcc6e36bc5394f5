//! The panic handler, which ends the process, and the unwinder's symbols that the precompiled `core` refers to.
//!
//! A program has exactly one definition of these. [`panic_handler!`](crate::panic_handler) defines them; the feature
//! `panic-handler` does so in this crate.

use crate::io::{STDERR, write_fmt};
use crate::process::{PANICKED, exit_now};
use crate::sys;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

/// The ID of the thread that panicked first, or 0.
static PANICKING: AtomicU32 = AtomicU32::new(0);

/// How long another thread's panic waits for the first one's message, in hundredths of a second.
const PATIENCE: u32 = 100;

/// Prints the location and the message of a panic, and ends the process with [`PANICKED`]. It does not use thread-local
/// storage, so that it works before that is set up.
#[doc(hidden)]
pub fn end(info: &PanicInfo<'_>) -> ! {
    let this = sys::gettid();
    match PANICKING.compare_exchange(0, this, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => say(format_args!("{info}\n")),
        // Formatting the message panicked.
        Err(first) if first == this => match info.location() {
            Some(place) => say(format_args!("panicked at {place}, in the message of a panic\n")),
            None => say(format_args!("panicked in the message of a panic\n")),
        },
        // The first thread ends the process after its message. A child that was forked meanwhile does not have that
        // thread.
        Err(_) => {
            for _ in 0..PATIENCE {
                let _ = sys::sleep(&mut [0, 10_000_000]);
            }
            say(format_args!("{info}\n"));
        }
    }
    exit_now(PANICKED)
}

/// Ends the process instead of unwinding.
#[doc(hidden)]
pub fn unwind() -> ! {
    exit_now(PANICKED)
}

fn say(text: core::fmt::Arguments<'_>) {
    let _ = write_fmt(STDERR, text);
}

/// Defines the panic handler of a program. It prints the location and the message, and ends the process with exit code
/// 101.
///
/// The feature `panic-handler`, which is on by default, does the same. If a package turns it off, each of its programs
/// uses this macro or defines a handler itself:
///
/// ```ignore
/// #[cfg(not(test))] // in tests, std defines the handler
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

        /// Never called: with `panic = "abort"` nothing unwinds, but unoptimised code still refers to this symbol.
        #[unsafe(no_mangle)]
        extern "C" fn rust_eh_personality() -> ! {
            $crate::panic::unwind()
        }

        $crate::__unwinder!();
    };
}

/// Expands to nothing: std has a panic handler.
#[macro_export]
#[cfg(feature = "hosted")]
macro_rules! panic_handler {
    () => {};
}

/// Symbols of an unwinder: none if origin defines them; on arm, also those that unwind tables refer to.
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
