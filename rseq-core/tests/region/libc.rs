//! What these tests need of the C library that std links.

use std::ffi::{c_int, c_ulong};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

#[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
pub const SIGUSR1: c_int = 10;
#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
pub const SIGUSR1: c_int = 16;
pub const SIGUSR2: c_int = if SIGUSR1 == 10 { 12 } else { 17 };

unsafe extern "C" {
    fn signal(signal: c_int, handler: extern "C" fn(c_int)) -> usize;
    fn pthread_self() -> c_ulong;
    fn pthread_kill(thread: c_ulong, signal: c_int) -> c_int;
}

pub fn handle(number: c_int, handler: extern "C" fn(c_int)) {
    // SAFETY: the handler is a function that lives as long as the process and only does what handlers may.
    unsafe { signal(number, handler) };
}

/// Runs `work`, and interrupts this thread by `number` every few microseconds meanwhile.
pub fn interrupted<R>(number: c_int, work: impl FnOnce() -> R) -> R {
    // SAFETY: no preconditions.
    let (done, target) = (AtomicBool::new(false), unsafe { pthread_self() });
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                // SAFETY: the thread waits for this one before it ends.
                unsafe { pthread_kill(target, number) };
                thread::sleep(Duration::from_micros(30));
            }
        });
        let result = work();
        done.store(true, Relaxed);
        result
    })
}
