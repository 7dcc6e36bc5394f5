//! The functions and variables of `librseq.so` and `librseq.a`, on rseq-core. The sections themselves are inline, in
//! the headers under `include`, which `cargo run --release -- headers` generates.
//!
//! What is said of each function here is its manual page: units, the errors in `errno`, and the kernel it needs.
//! `README.md` says how to build and to link.

#![no_std]

mod available;
mod cpu;
mod errno;
mod mempool;
mod registration;
mod slice;
mod status;
mod symbols;
mod text;

unsafe extern "C" {
    /// abort(3)
    safe fn abort() -> !;
}

/// No code of this library panics: what it calls returns errors. The compiler asks for the handler all the same.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    abort()
}
