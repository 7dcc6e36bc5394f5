//! How often a thread may be signalled and still get on with its work.

use linux_raw_sys::general::SIGUSR1;
use rseq_core::sys::Errno;

use crate::sys::time::{self, MICROSECOND, MILLISECOND};
use crate::sys::{process, signal};

/// Signals that are sent to measure what one costs.
pub const SAMPLES: u64 = 16;

/// The most nanoseconds between two signals.
pub const LONGEST: u64 = 200 * MILLISECOND;

/// Nanoseconds between two signals: ten times what one costs, within 20 us and 200 ms. SIGUSR1 must have a handler.
pub fn measured() -> Result<u64, Errno> {
    hurried(0)
}

/// The same, halved `halvings` times, but twice at most.
pub fn hurried(halvings: u32) -> Result<u64, Errno> {
    let (pid, tid) = (process::id(), process::thread_id());
    let began = time::now();
    for _ in 0..SAMPLES {
        signal::send(pid, tid, SIGUSR1)?;
    }
    let cost = (time::now() - began) / SAMPLES;
    Ok(((10 * cost) >> halvings.min(2)).clamp(20 * MICROSECOND, LONGEST))
}
