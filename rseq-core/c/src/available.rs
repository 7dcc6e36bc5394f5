//! `rseq_available`: whether the kernel has rseq, and whether the libc registers threads.

use rseq_core::sys::{self, Errno};

/// `bool rseq_available(void)` - returns whether the kernel has rseq (Linux 4.18). False where a seccomp filter refuses
/// the system call, by whatever error that is not `EINVAL`; librseq calls abort(3) there.
#[cfg(feature = "kernel")]
#[unsafe(no_mangle)]
pub extern "C" fn rseq_available() -> bool {
    kernel_has_rseq()
}

/// `bool rseq_available(unsigned int query)` - returns the answer to a query.
///
/// * `RSEQ_AVAILABLE_QUERY_KERNEL` (0): whether the kernel has rseq (Linux 4.18). False where a seccomp filter
///   refuses the system call, by whatever error that is not `EINVAL`; librseq calls abort(3) there.
/// * `RSEQ_AVAILABLE_QUERY_LIBC` (1): whether the libc registers threads (glibc 2.35).
/// * Any other query: false.
#[cfg(not(feature = "kernel"))]
#[unsafe(no_mangle)]
pub extern "C" fn rseq_available(query: core::ffi::c_uint) -> bool {
    match query {
        0 => kernel_has_rseq(),
        1 => !crate::symbols::owns(),
        _ => false,
    }
}

fn kernel_has_rseq() -> bool {
    // SAFETY: `rseq_raw` allows any address that the kernel refuses. The kernel returns EINVAL for a length of 0,
    // before it changes anything.
    unsafe { sys::rseq_raw(0, 0, 0, 0) }.is_err_and(|errno| errno == Errno::EINVAL)
}
