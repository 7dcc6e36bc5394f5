//! Errors as C reports them.

use core::ffi::c_int;
use rseq_core::sys::Errno;

unsafe extern "C" {
    /// Where the calling thread's `errno` is, in glibc and musl.
    safe fn __errno_location() -> *mut c_int;
}

/// Sets `errno`, and returns -1.
pub(crate) fn fail(errno: Errno) -> c_int {
    // SAFETY: the libc returns the address of this thread's own variable.
    unsafe { __errno_location().write(errno.0) };
    -1
}
