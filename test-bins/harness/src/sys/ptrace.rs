//! ptrace, as far as the rseq configuration needs it.

use linux_raw_sys::general::__NR_ptrace;
use linux_raw_sys::ptrace as raw;
use rseq_core::sys::Errno;

use super::call;

/// What a tracer sees of a thread's registration.
pub type RseqConfiguration = raw::ptrace_rseq_configuration;

/// Lets the parent trace this process.
pub fn trace_me() -> Result<(), Errno> {
    request(raw::PTRACE_TRACEME, 0)
}

/// Starts tracing the thread `tid`, which stops.
pub fn attach(tid: u32) -> Result<(), Errno> {
    request(raw::PTRACE_ATTACH, tid)
}

/// Ends the tracing of the stopped thread `tid` and lets it continue.
pub fn detach(tid: u32) -> Result<(), Errno> {
    request(raw::PTRACE_DETACH, tid)
}

/// Lets the stopped thread `tid` continue.
pub fn resume(tid: u32) -> Result<(), Errno> {
    request(raw::PTRACE_CONT, tid)
}

/// One of the four requests above.
fn request(request: u32, tid: u32) -> Result<(), Errno> {
    // SAFETY: these requests take no pointer. They stop and continue a thread, without a change of its registers or
    // memory.
    unsafe { call(__NR_ptrace, [request as usize, tid as usize, 0, 0]) }.map(|_| ())
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
