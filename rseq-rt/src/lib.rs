//! Start-up, thread-local storage and threads for static Linux programs without a libc, with rseq registered before
//! `main` and in every thread.
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//!
//! rseq_rt::entry!(main);
//!
//! fn main() -> rseq_rt::process::ExitCode {
//!     match rseq_rt::current() {
//!         Some(here) => rseq_rt::println!("on CPU {}", here.cpu_id()),
//!         None => rseq_rt::eprintln!("no rseq: {:?}", rseq_rt::registration()),
//!     }
//!     rseq_rt::process::ExitCode::SUCCESS
//! }
//! ```
//!
//! The package of such a program is built with `panic = "abort"`. Its `build.rs` passes `-nostdlib`, `-static` and
//! `-no-pie`, or `-nostdlib` and `-static-pie`, to the linker, by `cargo:rustc-link-arg-bins=`. Copy `examples/hello`
//! to begin with. With the linker scripts of `linker/` (`-T`), tools find the critical sections, and the program is
//! smaller.
//!
//! # What happens before `main`
//!
//! 1. `_start`.
//! 2. A static-pie relocates itself.
//! 3. The thread-local storage of the main thread is set up, by origin on x86-64, i686 and riscv64, and by
//!    `start::bare` on other architectures.
//! 4. Standard descriptors that are closed are opened.
//! 5. The placement of the thread-local storage is checked.
//! 6. The handler for stack overflows is installed.
//! 7. The rseq area is registered.
//! 8. `__rseq_offset`, `__rseq_size` and `__rseq_flags` are set, with the same meaning as in glibc.
//! 9. The constructors of C code are called.
//! 10. `main`.
//!
//! The environment variable `RSEQ_RT` selects the registration: `extended` (the default) registers all the bytes that
//! the kernel supports, `legacy` the original 32, and `off` does not register. With another value, the program ends
//! with exit code 2. A setuid program ignores the variable.
//!
//! # Faults
//!
//! If a thread overflows its stack, a line on standard error names the thread before SIGSEGV ends the process. A
//! handler of SIGSEGV writes it, on an alternate signal stack that each thread has; if the kernel refuses the handler
//! or the stack, the process ends without the line. Other faults, and a SIGSEGV that was sent, have the default action.
//! If SIGSEGV is ignored as the program starts, it stays ignored. A program may install a handler of its own for any
//! signal; each thread has 16 KiB of alternate stack for it (`SA_ONSTACK`).
//!
//! # What this crate does not have
//!
//! Use rustix for standard input, files, clocks, affinity, processes and signals. `docs/system.rs` of this package has
//! an example of each.
//!
//! # Map
//!
//! | module | purpose |
//! |---|---|
//! | [`env`](mod@env) | arguments, environment, auxiliary vector |
//! | [`process`] | exit codes |
//! | [`thread`] | spawn, join, detach, scope, sleep; names, thread-locals |
//! | [`sync`] | mutex, readers-writer lock, condition variable, once, barrier, park |
//! | `heap` | the global allocator of the feature `alloc` |
//! | [`io`] | standard output and error, [`print!`] and similar macros |
//! | `registration` | registering and releasing threads, by rseq-core |
//! | `tls` | the layout of the TLS block, and the thread pointer |
//! | `relocate` | relocation of a static-pie |
//! | `indirect` | finding indirect functions of C, which are refused |
//! | `relro` | memory that is read-only from `main` on, such as the sections' descriptors |
//! | `overflow` | the handler for stack overflows |
//! | `alternate_stack` | the stack of each thread that it runs on |
//! | `headers` | the executable's program headers |
//! | `start` | from the initial stack to `main`, by origin or without it |
//! | `backend` | a file for each architecture |
//! | `hosted` | replacements for some modules, on std |
//!
//! # Features
//!
//! | feature | purpose |
//! |---|---|
//! | `alloc` | a global allocator with a cache of free blocks for each CPU; fork-safe |
//! | `origin` (default) | start-up by origin on x86-64, i686 and riscv64, which requires one release of rustix |
//! | `panic-handler` (default) | the panic handler; without it, a program uses [`panic_handler!`] or defines one |
//! | `small` | smaller memory functions |
//! | `hosted` | for `[dev-dependencies]`: this crate on std, so that a library that uses it can have unit tests |
#![no_std]
#![cfg_attr(feature = "hosted", allow(dead_code, reason = "std replaces the code for start-up"))]
// Assembly for MIPS is unstable Rust.
#![cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), feature(asm_experimental_arch))]

#[cfg(feature = "hosted")]
extern crate std;

#[cfg(not(feature = "hosted"))]
mod alternate_stack;
#[cfg(not(feature = "hosted"))]
mod backend;
mod before_main;
#[cfg(not(feature = "hosted"))]
mod canary;
#[cfg(not(feature = "hosted"))]
mod constructors;
#[cfg(not(feature = "hosted"))]
mod descriptors;
pub mod env;
#[cfg(not(feature = "hosted"))]
mod headers;
#[cfg(feature = "alloc")]
pub mod heap;
#[cfg(not(feature = "hosted"))]
mod indirect;
pub mod io;
#[cfg(not(feature = "hosted"))]
mod mem;
#[cfg(not(feature = "hosted"))]
mod overflow;
#[cfg(not(feature = "hosted"))]
mod page;
#[doc(hidden)]
pub mod panic;
pub mod process;
#[cfg_attr(feature = "hosted", path = "hosted/registration.rs")]
mod registration;
#[cfg(not(feature = "hosted"))]
mod relocate;
#[cfg(not(feature = "hosted"))]
mod relro;
#[cfg(not(feature = "hosted"))]
mod start;
pub mod sync;
mod sys;
pub mod thread;
#[cfg(not(feature = "hosted"))]
mod tls;
#[cfg(feature = "hosted")]
#[path = "hosted/vectors.rs"]
mod vectors;

pub use registration::{NotRegistered, current, kernel, registration};

/// Defines the program's main function: `fn main()`, or one that returns [`ExitCode`](process::ExitCode),
/// `Result<(), E>` or another [`Termination`](process::Termination).
///
/// It is called in the main thread, which is registered for rseq if the kernel supports it.
#[macro_export]
#[cfg(not(feature = "hosted"))]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        fn __rseq_rt_main() -> $crate::process::ExitCode {
            $crate::process::Termination::report($main())
        }
    };
}

/// Defines the program's main function, which the start-up code of the libc calls.
#[macro_export]
#[cfg(feature = "hosted")]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(export_name = "main")]
        extern "C" fn __rseq_rt_main() -> ::core::ffi::c_int {
            $crate::process::run(|| $crate::process::Termination::report($main()))
        }
    };
}
