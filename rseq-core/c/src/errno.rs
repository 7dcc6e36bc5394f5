//! Setting `errno`.

use core::ffi::c_int;
use rseq_core::sys::Errno;

unsafe extern "C" {
    /// Returns the address of the calling thread's `errno`, in glibc and musl.
    safe fn __errno_location() -> *mut c_int;
}

/// Sets `errno`, and returns -1.
pub(crate) fn fail(errno: Errno) -> c_int {
    // SAFETY: the libc returns the aligned address of this thread's `errno`, an `int` that only this thread uses.
    unsafe { __errno_location().write(errno.0) };
    -1
}
