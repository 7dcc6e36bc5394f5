//! The time slice extension (Linux 7.0).

use crate::errno::fail;
use core::ffi::c_int;
use rseq_core::sys::{self, SliceState};

/// `int rseq_slice_extension_enable(bool enable)` - enables or disables the time slice extension in the calling thread
/// (Linux 7.0, `CONFIG_RSEQ_SLICE_EXTENSION`). Returns 0; or -1 and `errno`:
///
/// * `EINVAL`: the kernel has no time slice extension.
/// * `ENOTSUPP` (524): it is switched off, or the registration has only 32 bytes.
/// * `ENXIO`: the thread is not registered.
///
/// The thread requests an extension by writing 1 to `rseq_get_abi()->slice_ctrl.request`. The protocol is described in
/// the kernel's `Documentation/userspace-api/rseq.rst`.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_slice_extension_enable(enable: bool) -> c_int {
    let state = if enable { SliceState::Enabled } else { SliceState::Disabled };
    sys::set_slice_extension(state).map_or_else(|error| fail(error.errno()), |()| 0)
}
