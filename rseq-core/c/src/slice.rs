//! The time slice extension (Linux 7.0).

use crate::errno::fail;
use core::ffi::c_int;
use rseq_core::sys::{self, SliceState};

/// `int rseq_slice_extension_enable(bool enable)` - enables the time slice extension in the calling thread, or
/// disables it (Linux 7.0, `CONFIG_RSEQ_SLICE_EXTENSION`). Returns 0; or -1 and `errno`:
///
/// * `EINVAL` or `ENOTSUPP` (524): the kernel has no such extension, or it is switched off.
/// * `ENXIO`: the thread is not registered.
///
/// A thread then asks for one by writing 1 to `rseq_get_abi()->slice_ctrl.request`; what it may do until then is in
/// the kernel's `Documentation/userspace-api/rseq.rst`.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_slice_extension_enable(enable: bool) -> c_int {
    let state = if enable { SliceState::Enabled } else { SliceState::Disabled };
    sys::set_slice_extension(state).map_or_else(|error| fail(error.errno()), |()| 0)
}
