//! The CPU and the node of a thread that is not registered, and the number of possible CPUs.

use crate::abort;
use crate::errno::fail;
use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, Ordering};
use rseq_core::percpu::PossibleCpus;
use rseq_core::sys;

unsafe extern "C" {
    /// sched_getcpu(3). glibc and musl call the vDSO's getcpu if the architecture has one, else getcpu(2).
    safe fn sched_getcpu() -> c_int;
}

/// `int32_t rseq_fallback_current_cpu(void)` - returns the current CPU by sched_getcpu(3) (Linux 2.6.19), which makes
/// no system call if the vDSO has getcpu. Calls abort(3) if sched_getcpu fails, as under a seccomp filter.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_fallback_current_cpu() -> i32 {
    match sched_getcpu() {
        cpu if cpu >= 0 => cpu,
        _ => abort(),
    }
}

/// `int32_t rseq_fallback_current_node(void)` - returns the current NUMA node by getcpu(2) (Linux 2.6.19); or -1 and
/// `errno` if a seccomp filter refuses the call.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_fallback_current_node() -> i32 {
    sys::getcpu().map_or_else(fail, |here| here.node as i32)
}

/// What [`rseq_get_max_nr_cpus`] returns; 0 before it is known.
static MAX_NR_CPUS: AtomicI32 = AtomicI32::new(0);

/// `int rseq_get_max_nr_cpus(void)` - returns the length of an array indexed by CPU number: one more than the highest
/// possible CPU number in `/sys/devices/system/cpu/possible`. Without sysfs it is the size in bits of the kernel's
/// affinity masks, by sched_getaffinity(2). Returns 0 if neither can be read.
///
/// The first call that does not return 0 determines what all later ones return, so that an array that was sized by one
/// call has a slot for each CPU that another call counts. Later calls only read a variable.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_get_max_nr_cpus() -> c_int {
    match MAX_NR_CPUS.load(Ordering::Relaxed) {
        0 => first_max_nr_cpus(),
        known => known,
    }
}

/// Reads the number and keeps it, unless a concurrent call was first.
#[cold]
fn first_max_nr_cpus() -> c_int {
    let read = PossibleCpus::read().map_or(0, |cpus| cpus.slots_by_cpu() as c_int);
    match MAX_NR_CPUS.compare_exchange(0, read, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => read,
        Err(known) => known,
    }
}
