//! Functions that a program has called before `main`: C's constructors, in `.preinit_array` and `.init_array`. Those
//! for the end of the program, in `.fini_array`, are not called.

use crate::env::InitialStack;
use core::ffi::{c_char, c_int};

/// The arguments that glibc passes too.
type Constructor = unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char);

// Linkers define these if there are any constructors.
core::arch::global_asm!(
    ".weak __preinit_array_start, __preinit_array_end, __init_array_start, __init_array_end",
    ".hidden __preinit_array_start",
    ".hidden __preinit_array_end",
    ".hidden __init_array_start",
    ".hidden __init_array_end",
);

unsafe extern "C" {
    static __preinit_array_start: [Option<Constructor>; 0];
    static __preinit_array_end: [Option<Constructor>; 0];
    static __init_array_start: [Option<Constructor>; 0];
    static __init_array_end: [Option<Constructor>; 0];
}

/// Calls them all, in order.
///
/// # Safety
///
/// The process has one thread, which can do all that `main` can, and the constructors have not been called before.
pub unsafe fn run(initial: &InitialStack) {
    let arrays = [
        (&raw const __preinit_array_start, &raw const __preinit_array_end),
        (&raw const __init_array_start, &raw const __init_array_end),
    ];
    let (argc, argv, envp) = initial.main_arguments();
    for (start, end) in arrays {
        let (mut next, end) = (start.cast::<Option<Constructor>>(), end.cast());
        while next != end {
            // SAFETY: the linker put an array of these between the two symbols.
            if let Some(constructor) = unsafe { *next } {
                // SAFETY: code that puts a function there expects it to be called at this point with these arguments.
                unsafe { constructor(argc as c_int, argv, envp) };
            }
            // SAFETY: `next` is below the end of the array, so the address after it is within the array or its end.
            next = unsafe { next.add(1) };
        }
    }
}
