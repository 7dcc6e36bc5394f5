//! Where this thread runs, according to the kernel.

use super::{Errno, syscall};
use linux_raw_sys::general::{__NR_getcpu, __NR_sched_getaffinity, __NR_sched_yield};

/// A CPU number and its NUMA node, as the kernel saw them at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// The CPU's number.
    pub cpu: u32,
    /// The node's number.
    pub node: u32,
}

/// `getcpu()` - the current CPU and node, which may change at any time (since Linux 2.6.19).
///
/// # Errors
///
/// [`Errno::ENOSYS`] from a kernel, or a filter, without the call.
pub fn getcpu() -> Result<Cpu, Errno> {
    let mut here = Cpu { cpu: 0, node: 0 };
    let args = [&raw mut here.cpu as usize, &raw mut here.node as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes one u32 at each of the two addresses, both fields of `here`, and nothing else.
    unsafe { syscall(__NR_getcpu, args) }?;
    Ok(here)
}

/// Bytes of the kernel's affinity masks, at most 8192 here: 65,536 CPUs.
pub(crate) fn affinity_mask_size() -> Result<usize, Errno> {
    let mut mask = [0usize; 8192 / size_of::<usize>()];
    let args = [0, size_of_val(&mask), mask.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes at most the size given to `mask`, and returns how many bytes it wrote.
    unsafe { syscall(__NR_sched_getaffinity, args) }
}

/// `sched_yield()` - lets other threads run.
pub(crate) fn yield_now() {
    // SAFETY: the call takes no argument and touches no memory.
    let _ = unsafe { syscall(__NR_sched_yield, [0; 6]) };
}
