//! Where the thread runs, for threads that are not registered, and how many CPUs there can be.

use crate::abort;
use crate::errno::fail;
use core::ffi::c_int;
use rseq_core::percpu::PossibleCpus;
use rseq_core::sys;

unsafe extern "C" {
    /// sched_getcpu(3), of glibc and musl: by the vDSO where the architecture's has getcpu, else by getcpu(2).
    safe fn sched_getcpu() -> c_int;
}

/// `int32_t rseq_fallback_current_cpu(void)` - the CPU of this moment, by sched_getcpu(3) (Linux 2.6.19), which makes
/// no system call where the vDSO has getcpu. The process ends by abort(3) where a filter refuses the call.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_fallback_current_cpu() -> i32 {
    match sched_getcpu() {
        cpu if cpu >= 0 => cpu,
        _ => abort(),
    }
}

/// `int32_t rseq_fallback_current_node(void)` - the NUMA node of this moment, by getcpu(2) (Linux 2.6.19); or -1 and
/// `errno`, where a filter refuses the call.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_fallback_current_node() -> i32 {
    sys::getcpu().map_or_else(fail, |here| here.node as i32)
}

/// `int rseq_get_max_nr_cpus(void)` - one more than the largest CPU number that the kernel can give, from
/// `/sys/devices/system/cpu/possible`: the length of an array by CPU. 0 if it is not known.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_get_max_nr_cpus() -> c_int {
    PossibleCpus::read().map_or(0, |cpus| cpus.slots_by_cpu() as c_int)
}
