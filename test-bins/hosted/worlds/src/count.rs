//! Counts that signals interrupt: exact, with the aborts counted too.

use crate::registration;
use crate::storm::{Words, storm};
use core::ffi::{c_int, c_ulong};
use rseq_core::abi::Rseq;
use rseq_core::percpu::Counter;
use rseq_core::sys::Errno;
use rseq_core::{Ambient, ensure_registered};

static COUNTER: Counter = Counter::new();

/// Adds 1 to a counter, `times` times, registered or not.
#[unsafe(no_mangle)]
pub extern "C" fn worlds_count(times: c_ulong) {
    (0..times).for_each(|_| COUNTER.inc());
}

/// What was counted.
#[unsafe(no_mangle)]
pub extern "C" fn worlds_sum() -> c_ulong {
    COUNTER.sum() as c_ulong
}

/// Adds 1 to the word of the CPU that the thread is on, among `len` words at `words` that are `stride` words apart,
/// `times` times, slowly; adds the number of aborted sections to `aborts`. Returns 0, or the reason why the thread is
/// not registered.
///
/// # Safety
///
/// The words, of which no other code changes any but by this function, are there; they may be shared with other
/// processes.
/// `aborts` is this thread's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn worlds_storm(
    words: *mut usize,
    len: usize,
    stride: usize,
    times: c_ulong,
    aborts: *mut usize,
) -> c_int {
    if ensure_registered().is_err() {
        return Errno::ESRCH.0;
    }
    // SAFETY: the caller's contract.
    outcome(unsafe { storm(Ambient::token(), Words { words, len, stride }, times as usize, &mut *aborts) })
}

/// As [`worlds_storm`], in a thread that C has registered by rseq(2), with `area_len` bytes at `area`.
///
/// # Safety
///
/// As [`worlds_storm`] and [`Registration::adopt_at`](rseq_core::Registration::adopt_at).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn worlds_storm_at(
    area: *mut Rseq,
    area_len: u32,
    words: *mut usize,
    len: usize,
    stride: usize,
    times: c_ulong,
    aborts: *mut usize,
) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { registration::of_c(area, area_len) } {
        Ok(registration) => {
            let token = registration.token();
            // SAFETY: the caller's contract.
            outcome(unsafe { storm(token, Words { words, len, stride }, times as usize, &mut *aborts) })
        }
        Err(errno) => errno,
    }
}

fn outcome(done: bool) -> c_int {
    if done { 0 } else { Errno::EINVAL.0 }
}
