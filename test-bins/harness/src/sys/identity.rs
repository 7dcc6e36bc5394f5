//! Which process and thread this is.

use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;

use super::{Harmless, call, harmless};

/// This process's number.
pub fn id() -> u32 {
    harmless(Harmless::GetPid, []).unwrap_or(0) as u32
}

/// This thread's number.
pub fn thread_id() -> u32 {
    harmless(Harmless::GetTid, []).unwrap_or(0) as u32
}

/// How often the calling thread was switched away from, by its own will or not.
pub fn context_switches() -> Result<usize, Errno> {
    // SAFETY: all-zero is valid for a struct of integers.
    let mut usage: raw::rusage = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel writes one rusage.
    unsafe { call(raw::__NR_getrusage, [raw::RUSAGE_THREAD as usize, &raw mut usage as usize]) }?;
    Ok((usage.ru_nvcsw + usage.ru_nivcsw) as usize)
}
