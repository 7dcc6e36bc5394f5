//! What the tests of stacks need of the machine: its CPUs, and that their arrays can be drained.

extern crate std;

use crate::percpu::fence::fence_index;
use crate::skipped::skipped;
use crate::{ByCpu, Status, status, sys};
use linux_raw_sys::general::{__NR_sched_getaffinity, __NR_sched_setaffinity};
use std::vec::Vec;

/// As large as the largest of a kernel.
type Mask = [usize; 8192 / usize::BITS as usize];

/// Makes this thread run on `cpu` only.
pub(super) fn pin(cpu: u32) {
    let mut mask: Mask = [0; 8192 / usize::BITS as usize];
    mask[(cpu / usize::BITS) as usize] = 1 << (cpu % usize::BITS);
    let args = [0, size_of_val(&mask), mask.as_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel reads so many bytes of the mask.
    unsafe { sys::syscall(__NR_sched_setaffinity, args) }.unwrap();
}

/// The CPUs that this thread may run on.
pub(super) fn allowed() -> Vec<u32> {
    let mut mask: Mask = [0; 8192 / usize::BITS as usize];
    let args = [0, size_of_val(&mask), mask.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes at most so many bytes of the mask.
    unsafe { sys::syscall(__NR_sched_getaffinity, args) }.unwrap();
    (0..8192).filter(|cpu| mask[(cpu / usize::BITS) as usize] >> (cpu % usize::BITS) & 1 == 1).collect()
}

/// Whether threads have sections and the kernel has the fence; reported, if not.
pub(super) fn can_drain() -> bool {
    match (status(), fence_index::<ByCpu>(0)) {
        (Status::On(_), Ok(())) => true,
        (status, fence) => {
            skipped(format_args!("{status}; the fence: {fence:?}"));
            false
        }
    }
}
