//! Clocks, sleep and timers.

use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;

use super::{Harmless, call, harmless, identity};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
pub const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds in a microsecond.
pub const MICROSECOND: u64 = 1_000;

/// CLOCK_MONOTONIC in nanoseconds; 0 if the kernel refuses it, which it never does.
pub fn now() -> u64 {
    let mut time = raw::__kernel_old_timespec { tv_sec: 0, tv_nsec: 0 };
    let args = [raw::CLOCK_MONOTONIC as usize, &raw mut time as usize];
    // SAFETY: the kernel writes one timespec at `time`.
    let _ = unsafe { call(raw::__NR_clock_gettime, args) };
    time.tv_sec as u64 * SECOND + time.tv_nsec as u64
}

/// Sleeps for `nanoseconds`, or until a signal is handled.
pub fn sleep(nanoseconds: u64) {
    let time = timespec(nanoseconds);
    // SAFETY: the kernel reads one timespec at `time` and is given nowhere to write.
    let _ = unsafe { call(raw::__NR_nanosleep, [&raw const time as usize, 0]) };
}

/// Yields the CPU.
pub fn yield_now() {
    let _ = harmless(Harmless::SchedYield, []);
}

/// A moment in the future or in the past.
#[derive(Clone, Copy)]
pub struct Deadline(u64);

impl Deadline {
    /// `nanoseconds` from now.
    pub fn after(nanoseconds: u64) -> Self {
        Self(now() + nanoseconds)
    }

    /// Whether the moment is past.
    pub fn is_past(self) -> bool {
        now() >= self.0
    }
}

/// Sleeps until the thread has been switched away from: on a slow machine a short sleep is over before it begins.
pub fn sleep_away() {
    let before = identity::context_switches();
    for _ in 0..100 {
        sleep(2 * MILLISECOND);
        if identity::context_switches() != before {
            break;
        }
    }
}

/// A timer that sends `signal` to one thread periodically until it is dropped.
pub struct Ticker(usize);

impl Ticker {
    /// Starts a timer of `period` nanoseconds that signals the calling thread.
    pub fn start(signal: u32, period: u64) -> Result<Self, Errno> {
        Self::for_thread(identity::thread_id(), signal, period)
    }

    /// Starts a timer of `period` nanoseconds that signals the thread `tid` of this process.
    pub fn for_thread(tid: u32, signal: u32, period: u64) -> Result<Self, Errno> {
        // SAFETY: an all-zero sigevent is valid: integers, a null function pointer option and padding.
        let mut event: raw::sigevent = unsafe { core::mem::zeroed() };
        event.sigev_signo = signal as i32;
        event.sigev_notify = raw::SIGEV_THREAD_ID as i32;
        event._sigev_un._tid = tid as i32;
        let mut id = 0i32;
        let args = [raw::CLOCK_MONOTONIC as usize, &raw mut event as usize, &raw mut id as usize];
        // SAFETY: the kernel reads one sigevent and writes one int.
        unsafe { call(raw::__NR_timer_create, args) }?;
        let ticker = Self(id as usize);
        let setting = Setting { interval: timespec(period), first: timespec(period) };
        // SAFETY: the kernel reads one itimerspec and is given nowhere to write.
        unsafe { call(raw::__NR_timer_settime, [ticker.0, 0, &raw const setting as usize, 0]) }?;
        Ok(ticker)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        let _ = harmless(Harmless::TimerDelete, [self.0]);
    }
}

#[repr(C)]
struct Setting {
    interval: raw::__kernel_old_timespec,
    first: raw::__kernel_old_timespec,
}

fn timespec(nanoseconds: u64) -> raw::__kernel_old_timespec {
    raw::__kernel_old_timespec { tv_sec: (nanoseconds / SECOND) as _, tv_nsec: (nanoseconds % SECOND) as _ }
}
