//! The auxiliary vector, read from the kernel.

use super::{Errno, read_file, syscall};
use linux_raw_sys::general::__NR_prctl;

/// `PR_GET_AUXV` (Linux 6.4): newer than some headers.
const PR_GET_AUXV: usize = 0x4155_5856;

/// Reads this process's vector by `prctl(PR_GET_AUXV)` (Linux 6.4), as much as fits, or else from `/proc/self/auxv`, if
/// all of it fits. Returns the number of bytes.
pub(crate) fn auxiliary_vector(vector: &mut [usize]) -> Result<usize, Errno> {
    let size = size_of_val(vector);
    let args = [PR_GET_AUXV, vector.as_mut_ptr() as usize, size, 0, 0, 0];
    // SAFETY: the kernel writes at most `size` bytes to `vector`.
    if let Ok(length) = unsafe { syscall(__NR_prctl, args) } {
        return Ok(length.min(size));
    }
    // SAFETY: the same memory as bytes, borrowed exclusively; any bytes are valid words.
    let bytes = unsafe { core::slice::from_raw_parts_mut(vector.as_mut_ptr().cast::<u8>(), size) };
    read_file(c"/proc/self/auxv", bytes).map(<[u8]>::len)
}
