//! Threads for a debugger to stop, and the program's address.

use alloc::format;
use alloc::string::String;
use core::hint::black_box;

use rseq_rt::thread;

/// Where a debugger sets its breakpoint.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn stop_here(number: u32) -> u32 {
    black_box(number)
}

/// One thread after the other.
pub fn many() -> Result<(), String> {
    for number in 0..20 {
        let thread = thread::spawn(move || stop_here(number)).map_err(|errno| format!("spawn {number}: {errno}"))?;
        if thread.join() != number {
            return Err(format!("thread {number} returned something else"));
        }
    }
    Ok(())
}

/// Where the program is.
pub fn address() -> Result<(), String> {
    rseq_rt::println!("{:x}", address as fn() -> Result<(), String> as usize);
    Ok(())
}
