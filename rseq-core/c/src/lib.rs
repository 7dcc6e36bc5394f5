//! The functions and variables of `librseq.so` and `librseq.a`, on rseq-core. The critical sections are inline
//! functions in the headers under `include`, which `cargo run --release -- headers` generates.
//!
//! The documentation of each function is its manual page: units, the errors in `errno`, and the kernel version that it
//! needs. `README.md` describes building and linking.

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

/// The compiler requires a handler. No code of this library panics; a test checks that no panic symbol is linked.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    abort()
}
