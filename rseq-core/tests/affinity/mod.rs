//! On which CPUs a thread may run. The unit tests use this file too.

#![allow(dead_code, reason = "no test uses all of it")]

extern crate std; // which the core does not have

use std::ffi::c_int;
use std::io;
use std::vec::Vec;

/// As large as the largest of a kernel.
type Mask = [usize; 8192 / usize::BITS as usize];

unsafe extern "C" {
    safe fn sched_getaffinity(thread: c_int, size: usize, mask: &mut Mask) -> c_int;
    safe fn sched_setaffinity(thread: c_int, size: usize, mask: &Mask) -> c_int;
}

/// The CPUs that this thread may run on, in ascending order.
pub fn allowed() -> Vec<u32> {
    let mut mask: Mask = [0; 8192 / usize::BITS as usize];
    let read = sched_getaffinity(0, size_of::<Mask>(), &mut mask);
    assert_eq!(read, 0, "sched_getaffinity: {}", io::Error::last_os_error());
    (0..8192).filter(|cpu| mask[(cpu / usize::BITS) as usize] >> (cpu % usize::BITS) & 1 == 1).collect()
}

/// Makes this thread run on `cpu` only.
pub fn pin(cpu: u32) {
    assert!(try_pin(0, cpu), "CPU {cpu}: {}", io::Error::last_os_error());
}

/// Makes a thread, or this one by 0, run on `cpu` only; whether it may run there.
pub fn try_pin(thread: c_int, cpu: u32) -> bool {
    let mut mask: Mask = [0; 8192 / usize::BITS as usize];
    mask[(cpu / usize::BITS) as usize] = 1 << (cpu % usize::BITS);
    sched_setaffinity(thread, size_of::<Mask>(), &mask) == 0
}
