//! Threads for a debugger to stop, and the program's address.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::hint::black_box;

use rseq_rt::thread;

/// Where a debugger sets its breakpoint.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stop_here(number: u32) -> u32 {
    black_box(number)
}

/// Threads that start while others are stopped, or go on.
pub fn many() -> Result<(), String> {
    let mut threads = Vec::new();
    for number in 0..60 {
        threads.push(thread::spawn(move || stop_here(number)).map_err(|errno| format!("spawn {number}: {errno}"))?);
    }
    match threads
        .into_iter()
        .enumerate()
        .find_map(|(number, thread)| (thread.join() != number as u32).then_some(number))
    {
        None => Ok(()),
        Some(number) => Err(format!("thread {number} returned something else")),
    }
}

/// Where the program is.
pub fn address() -> Result<(), String> {
    rseq_rt::println!("{:x}", address as fn() -> Result<(), String> as usize);
    Ok(())
}
