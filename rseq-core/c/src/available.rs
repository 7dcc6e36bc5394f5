//! Whether there is rseq.

use crate::abort;
use rseq_core::sys::{self, Errno};

/// `bool rseq_available(void)` - whether the kernel has rseq (Linux 4.18). The process ends by abort(3) if a filter
/// answers otherwise than the kernel would.
#[cfg(feature = "kernel")]
#[unsafe(no_mangle)]
pub extern "C" fn rseq_available() -> bool {
    kernel_has_rseq()
}

/// `bool rseq_available(unsigned int query)` - whether there is rseq.
///
/// * `RSEQ_AVAILABLE_QUERY_KERNEL` (0): the kernel has it (Linux 4.18). The process ends by abort(3) if a filter
///   answers otherwise than the kernel would.
/// * `RSEQ_AVAILABLE_QUERY_LIBC` (1): the libc registers threads (glibc 2.35).
/// * Any other: false.
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
    // SAFETY: the kernel refuses an area of no bytes, and changes nothing.
    match unsafe { sys::rseq_raw(0, 0, 0, 0) } {
        Err(Errno::EINVAL) => true,
        Err(Errno::ENOSYS) => false,
        _ => abort(),
    }
}
