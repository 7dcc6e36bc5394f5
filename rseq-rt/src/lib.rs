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
//! The package with such a program passes `-nostdlib`, `-static` and `-no-pie`, or `-nostdlib` and `-static-pie`, to
//! the linker, by a `build.rs` that prints `cargo:rustc-link-arg-bins=` with each, and builds with `panic = "abort"`:
//! `examples/hello` is one to copy. With the linker scripts of `linker/`, by `-T`, tools find its critical sections,
//! and it is smaller.
//!
//! # What happens before `main`
//!
//! `_start` -> a static-pie relocates itself -> thread-local storage of the main thread (origin on x86-64, i686 and
//! riscv64, `backend::bare` elsewhere) -> closed standard descriptors are opened -> the TLS placement is checked -> the
//! area is registered -> a handler for stacks that are used up -> `__rseq_offset`, `__rseq_size` and `__rseq_flags` say
//! so, with glibc's meaning -> C's constructors -> `main`.
//!
//! The environment variable `RSEQ_RT` chooses the registration: `extended` (the default) registers as many bytes as the
//! kernel knows, `legacy` the original 32, `off` none. Another value ends the program with exit code 2. A setuid
//! program does not read it.
//!
//! # Faults
//!
//! A thread that uses up its stack is named on standard error before SIGSEGV ends the process. For that, a handler of
//! SIGSEGV runs on an alternate stack that each thread has; where the kernel refuses one, the process ends without the
//! line. Other faults, and signals that are sent, have their default action. A handler of the program's replaces this
//! one, and finds 16 KiB of alternate stack in each thread if it asks for it (`SA_ONSTACK`).
//!
//! # What is left to rustix
//!
//! Standard input, files, clocks, affinity, processes and signals: `docs/system.rs` of this package has an example of
//! each, which is run with both ways to start.
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
//! | [`io`] | standard output and error, [`print!`] and its kin |
//! | `registration` | the only place that talks to rseq-core's registration |
//! | `tls` | where the TLS block and the thread pointer go |
//! | `relocate` | what a static-pie does first |
//! | `relro` | what is read-only from `main` on: the sections' descriptors, for one |
//! | `overflow` | a line about a stack that is used up |
//! | `headers` | the executable's program headers |
//! | `backend` | one file an architecture, and origin |
//! | `hosted` | what takes their place on std |
//!
//! # Features
//!
//! | feature | purpose |
//! |---|---|
//! | `alloc` | a global allocator with a cache of free blocks for each CPU; fork-safe |
//! | `origin` (default) | start-up by origin on x86-64, i686 and riscv64, which needs one release of rustix |
//! | `panic-handler` (default) | the panic handler; without it, the program has [`panic_handler!`] or its own |
//! | `small` | memory functions of fewer bytes |
//! | `hosted` | for `[dev-dependencies]`: all of this on std, so that a library that uses it has unit tests |
#![no_std]
#![cfg_attr(feature = "hosted", allow(dead_code, reason = "std does what start-up does otherwise"))]
// Assembly for MIPS is unstable Rust.
#![cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), feature(asm_experimental_arch))]

#[cfg(feature = "hosted")]
extern crate std;

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
pub mod io;
#[cfg(not(feature = "hosted"))]
mod mem;
#[cfg(not(feature = "hosted"))]
mod overflow;
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

/// Names the program's main function: `fn main()`, or one that returns [`ExitCode`](process::ExitCode), `Result<(), E>`
/// or another [`Termination`](process::Termination).
///
/// It runs in the main thread with rseq registered, as far as the kernel allows.
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

/// Names the program's main function, which the libc's start-up calls.
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
