//! Moving a CPU's memory to the CPU's NUMA node.

use crate::errno::fail;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use rseq_core::percpu::move_to_node_of;
use rseq_core::sys::Errno;

/// `int rseq_mempool_range_init_numa(void *addr, size_t len, int cpu, int numa_flags)` - moves the pages of the `len`
/// bytes at `addr` to the NUMA node of `cpu`, by move_pages(2) with these flags (Linux 2.6.18). Returns 0, even if a
/// page is not moved, such as one that has not been touched; or -1 and `errno`:
///
/// * `EINVAL`: `addr` is `NULL`, `numa_flags` is 0 or has unknown flags, or no node has this CPU.
/// * `EPERM`: `MPOL_MF_MOVE_ALL` without `CAP_SYS_NICE`.
/// * `ENOSYS`: the kernel has no NUMA.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_mempool_range_init_numa(addr: *mut c_void, len: usize, cpu: c_int, numa_flags: c_int) -> c_int {
    let (Some(start), Ok(cpu), true) = (NonNull::new(addr.cast()), u32::try_from(cpu), numa_flags != 0) else {
        return fail(Errno::EINVAL);
    };
    move_to_node_of(cpu, start, len, numa_flags as u32).map_or_else(fail, |()| 0)
}
