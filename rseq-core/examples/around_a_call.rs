//! What the compiler keeps in registers around a system call, and around a switch to another thread: tests read the
//! machine code, and run it.

#![no_std]

use linux_raw_sys::general::__NR_getcpu;
use rseq_core::{arch, sys};

/// The loop over `words` is vectorised, and the compiler computes its constants and masks before the first call if it
/// may.
#[unsafe(no_mangle)]
pub fn probe_vectors(rounds: usize, words: &[u32]) -> u32 {
    let mut sum = 0_u32;
    for _ in 0..rounds {
        // SAFETY: the call writes nothing where all three pointers are null.
        let _ = unsafe { sys::syscall(__NR_getcpu, [0; 6]) };
        sum = words.iter().fold(sum, |sum, word| sum.wrapping_add((word ^ 0x5a5a) & 0xff));
    }
    sum
}

/// The thread pointer and the own area before and after a switch to another thread.
#[unsafe(no_mangle)]
pub fn probe_switch(switch: extern "C" fn(), seen: &mut [usize; 4]) {
    seen[0] = arch::thread_pointer();
    seen[1] = arch::own_area().as_ptr() as usize;
    switch();
    seen[2] = arch::thread_pointer();
    seen[3] = arch::own_area().as_ptr() as usize;
}
