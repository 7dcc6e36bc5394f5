//! Reading one small file.

use super::{Errno, syscall};
use core::ffi::CStr;
use linux_raw_sys::general::{__NR_close, __NR_openat, __NR_read, AT_FDCWD, O_CLOEXEC, O_RDONLY};

/// Reads the beginning of a file, as much as `buffer` takes.
pub(crate) fn read_file<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    let args = [AT_FDCWD as usize, path.as_ptr() as usize, (O_RDONLY | O_CLOEXEC) as usize, 0, 0, 0];
    // SAFETY: reads the path, a string that ends in 0, and opens a new descriptor.
    let file = unsafe { syscall(__NR_openat, args) }?;
    let mut filled = 0;
    let result = loop {
        let rest = &mut buffer[filled..];
        let args = [file, rest.as_mut_ptr() as usize, rest.len(), 0, 0, 0];
        // SAFETY: writes at most `rest.len()` bytes to `rest`.
        match unsafe { syscall(__NR_read, args) } {
            Ok(0) => break Ok(()),
            Ok(more) => filled += more,
            Err(Errno::EINTR) => {}
            Err(errno) => break Err(errno),
        }
    };
    // SAFETY: closes the descriptor opened above, which nobody else knows.
    let _ = unsafe { syscall(__NR_close, [file, 0, 0, 0, 0, 0]) };
    result.map(|()| &buffer[..filled])
}
