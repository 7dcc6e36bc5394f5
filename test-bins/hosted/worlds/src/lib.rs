//! The core's registrations, sections and counters under C names, without a libc: for programs in C on glibc, musl and
//! the kernel's nolibc, and for Python. `c/worlds.h` declares the functions.

#![no_std]

mod count;
mod registration;
mod storm;
mod text;

/// No code of this library panics: what it calls returns errors. The compiler asks for the handler all the same.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
