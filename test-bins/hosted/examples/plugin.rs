//! A shared library with a critical section of its own, over the registration of whoever loads it.

use rseq_core::ops::this_cpu;
use rseq_core::{ThreadArea, prepare_unload};

/// Adds 1 to the calling thread's slot, `times` times. Returns 0, or -1 where the thread is not registered.
///
/// # Safety
///
/// `words` is the first of `slots` slots of 64 bytes, each beginning with a valid word.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_add(words: *mut usize, slots: usize, times: usize) -> i32 {
    let Some(token) = ThreadArea::current() else { return -1 };
    for _ in 0..times {
        // SAFETY: the caller's contract is the section's.
        if unsafe { this_cpu::add::<64, _, _>(token, words, slots, 1) }.is_err() {
            return -1;
        }
    }
    0
}

/// Makes the calling thread forget this library's sections.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_prepare_unload() {
    if let Some(token) = ThreadArea::current() {
        prepare_unload(token);
    }
}
