//! On which CPUs a thread may run.

use linux_raw_sys::general::{__NR_sched_getaffinity, __NR_sched_setaffinity};
use rseq_core::sys::syscall;

/// As large as the largest of a kernel.
type Mask = [usize; 8192 / usize::BITS as usize];

/// Makes this thread run on `cpu` only.
pub fn pin(cpu: u32) {
    let mut mask: Mask = [0; 8192 / usize::BITS as usize];
    mask[(cpu / usize::BITS) as usize] = 1 << (cpu % usize::BITS);
    set(0, &mask);
}

/// Makes a thread, or this one by 0, run on the CPUs of `mask`.
fn set(thread: usize, mask: &Mask) {
    let args = [thread, size_of_val(mask), mask.as_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel reads so many bytes of the mask.
    unsafe { syscall(__NR_sched_setaffinity, args) }.expect("sched_setaffinity");
}

/// The CPUs that this thread may run on.
pub fn allowed() -> Vec<u32> {
    let mut mask: Mask = [0; 8192 / usize::BITS as usize];
    let args = [0, size_of_val(&mask), mask.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes at most so many bytes of the mask.
    unsafe { syscall(__NR_sched_getaffinity, args) }.expect("sched_getaffinity");
    (0..8192).filter(|cpu| mask[(cpu / usize::BITS) as usize] >> (cpu % usize::BITS) & 1 == 1).collect()
}
