//! The part in C.

use core::ffi::{CStr, c_char, c_int};

use anyhow::{Context, Result, bail, ensure};
use rseq_rt::{env, thread};

unsafe extern "C" {
    static constructed_first: c_int;
    static constructed_second: c_int;
    static constructor_argc: c_int;
    static constructor_name: *const c_char;
    static array: [c_char; 16];
    static below: *const c_char;
    safe fn canary() -> usize;
    #[link_name = "overflow"]
    fn overflow_c(length: c_int) -> c_int;
}

/// Constructors ran before main, in their order, with main's arguments.
pub fn constructors() -> Result<()> {
    // SAFETY: constructors alone write these, before main.
    let (first, second, argc) = unsafe { (constructed_first, constructed_second, constructor_argc) };
    let ran = (first, second, argc as usize) == (1, 2, env::args().count());
    ensure!(ran, "constructors: first {first}, second {second}, argc {argc}");
    // SAFETY: the first constructor stored argv[0], which is a C string that stays.
    let name = unsafe { CStr::from_ptr(constructor_name) };
    ensure!(Some(name) == env::args_os().next(), "argv[0] is {name:?}");
    Ok(())
}

/// An address that is far from what it is computed from.
pub fn addresses() -> Result<()> {
    // SAFETY: the variable is initialized, and nothing writes it.
    let found = unsafe { below }.wrapping_add(0x1000_0000);
    let wanted = (&raw const array).cast();
    ensure!(found == wanted, "{found:?}, not {wanted:?}");
    Ok(())
}

/// A thread has the canary of main, which cannot be guessed.
pub fn canaries() -> Result<()> {
    let main = canary();
    let thread = thread::spawn(|| canary()).context("spawn")?.join();
    ensure!(main != 0 && main == thread, "main has the canary {main:#x}, a thread {thread:#x}");
    rseq_rt::println!("{main:x}");
    Ok(())
}

/// A function that destroys its own frame must not return.
pub fn overflow() -> Result<()> {
    // SAFETY: within the array.
    unsafe { overflow_c(16) };
    // SAFETY: beyond it: the function overwrites its canary, so that it ends the process instead of returning.
    unsafe { overflow_c(48) };
    bail!("an overflow of the stack was not noticed")
}
