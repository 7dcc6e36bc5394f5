//! ptrace, as far as the rseq configuration needs it.

use linux_raw_sys::general::__NR_ptrace;
use linux_raw_sys::ptrace as raw;
use rseq_core::sys::Errno;

use super::{call, harmless};

/// What a tracer sees of a thread's registration.
pub type RseqConfiguration = raw::ptrace_rseq_configuration;

/// Lets the parent trace this process.
pub fn trace_me() -> Result<(), Errno> {
    harmless(__NR_ptrace, [raw::PTRACE_TRACEME as usize]).map(|_| ())
}

/// Starts tracing the thread `tid`, which stops.
pub fn attach(tid: u32) -> Result<(), Errno> {
    harmless(__NR_ptrace, [raw::PTRACE_ATTACH as usize, tid as usize]).map(|_| ())
}

/// Ends the tracing of the stopped thread `tid` and lets it continue.
pub fn detach(tid: u32) -> Result<(), Errno> {
    harmless(__NR_ptrace, [raw::PTRACE_DETACH as usize, tid as usize]).map(|_| ())
}

/// Lets the stopped thread `tid` continue.
pub fn resume(tid: u32) -> Result<(), Errno> {
    harmless(__NR_ptrace, [raw::PTRACE_CONT as usize, tid as usize]).map(|_| ())
}

/// The registration of the stopped thread `tid` (since Linux 5.13; EIO before).
pub fn rseq_configuration(tid: u32) -> Result<RseqConfiguration, Errno> {
    let mut found = RseqConfiguration { rseq_abi_pointer: 0, rseq_abi_size: 0, signature: 0, flags: 0, pad: 0 };
    let size = size_of::<RseqConfiguration>();
    let args = [raw::PTRACE_GET_RSEQ_CONFIGURATION as usize, tid as usize, size, &raw mut found as usize];
    // SAFETY: the kernel writes at most `size` bytes at `found`.
    unsafe { call(__NR_ptrace, args) }?;
    Ok(found)
}
