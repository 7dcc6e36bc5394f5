//! Threads for a debugger to stop, and the program's address.

use alloc::format;
use alloc::vec::Vec;
use core::hint::black_box;

use anyhow::{Context, Result, ensure};
use rseq_rt::thread;

/// Where a debugger sets its breakpoint.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stop_here(number: u32) -> u32 {
    black_box(number)
}

/// Threads that start while others are stopped, or go on.
pub fn many() -> Result<()> {
    let mut threads = Vec::new();
    for number in 0..60 {
        threads.push(thread::spawn(move || stop_here(number)).with_context(|| format!("spawn {number}"))?);
    }
    for (number, thread) in threads.into_iter().enumerate() {
        ensure!(thread.join() == number as u32, "thread {number} returned something else");
    }
    Ok(())
}

/// Where the program is.
pub fn address() -> Result<()> {
    rseq_rt::println!("{:x}", address as fn() -> Result<()> as usize);
    Ok(())
}
