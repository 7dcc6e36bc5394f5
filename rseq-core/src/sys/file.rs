//! Reading one small file.

use super::{Errno, syscall};
use core::ffi::CStr;
use linux_raw_sys::general::{__NR_close, __NR_openat, __NR_read, AT_FDCWD, O_CLOEXEC, O_RDONLY};

/// Reads a whole file.
///
/// # Errors
///
/// The kernel's; [`Errno::E2BIG`] for a file that is not shorter than `buffer`, since a full buffer may hold a part
/// only.
pub(crate) fn read_file<'b>(path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    let args = [AT_FDCWD as usize, path.as_ptr() as usize, (O_RDONLY | O_CLOEXEC) as usize, 0, 0, 0];
    // SAFETY: reads the path, a string that ends in 0, and opens a new descriptor.
    let file = unsafe { syscall(__NR_openat, args) }?;
    let mut filled = 0;
    let result = loop {
        let rest = buffer.get_mut(filled..).unwrap_or_default();
        let args = [file, rest.as_mut_ptr() as usize, rest.len(), 0, 0, 0];
        // SAFETY: writes at most `rest.len()` bytes to `rest`.
        match unsafe { syscall(__NR_read, args) } {
            Ok(0) if rest.is_empty() => break Err(Errno::E2BIG),
            Ok(0) => break Ok(()),
            Ok(more) => filled += more,
            Err(Errno::EINTR) => {}
            Err(errno) => break Err(errno),
        }
    };
    // SAFETY: closes the descriptor opened above, which only this function has.
    let _ = unsafe { syscall(__NR_close, [file, 0, 0, 0, 0, 0]) };
    result.and_then(|()| buffer.get(..filled).ok_or(Errno::E2BIG))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_fills_the_buffer_is_no_answer() {
        let path = c"/proc/self/auxv";
        let mut buffer = [0; 4096];
        let length = read_file(path, &mut buffer).unwrap().len();
        assert_eq!(read_file(path, &mut buffer[..length + 1]).map(<[u8]>::len), Ok(length));
        assert_eq!(read_file(path, &mut buffer[..length]), Err(Errno::E2BIG));
        assert_eq!(read_file(path, &mut buffer[..8]), Err(Errno::E2BIG));
    }
}
