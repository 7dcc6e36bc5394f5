//! Files, by descriptor.

use core::ffi::CStr;

use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;
use rseq_rt::io::Stream;

use super::call;

/// An open file that is closed when it is dropped.
pub struct File(i32);

impl File {
    /// `openat(directory, path, flags | O_CLOEXEC)`; `directory` matters for a relative path only.
    pub fn open_at(directory: i32, path: &CStr, flags: u32) -> Result<Self, Errno> {
        let args = [directory as usize, path.as_ptr() as usize, (flags | raw::O_CLOEXEC) as usize, 0o600];
        // SAFETY: the path is a NUL-terminated string that lives across the call, which returns a new descriptor.
        unsafe { Self::of_call(raw::__NR_openat, args) }
    }

    /// Opens `path` for reading.
    pub fn open(path: &CStr) -> Result<Self, Errno> {
        Self::open_at(raw::AT_FDCWD, path, raw::O_RDONLY)
    }

    /// The file of a new descriptor, which the system call `nr` returns.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Safety
    ///
    /// As [`call`]; the call returns a descriptor that nothing else owns.
    pub unsafe fn of_call<const N: usize>(nr: u32, args: [usize; N]) -> Result<Self, Errno> {
        // SAFETY: the same contract.
        unsafe { call(nr, args) }.map(|descriptor| Self(descriptor as i32))
    }

    /// The descriptor.
    pub fn descriptor(&self) -> i32 {
        self.0
    }

    /// Reads until `buffer` is full or the file ends; returns the bytes read.
    pub fn read<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..) {
            // SAFETY: the kernel writes at most `room.len()` bytes into `room`.
            let got = unsafe { call(raw::__NR_read, [self.0 as usize, room.as_mut_ptr() as usize, room.len()]) };
            match got {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(buffer.get(..filled).unwrap_or(&[]))
    }

    /// Writes all of `bytes`.
    pub fn write(&self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            // SAFETY: the kernel reads at most `bytes.len()` bytes of `bytes`.
            let wrote = unsafe { call(raw::__NR_write, [self.0 as usize, bytes.as_ptr() as usize, bytes.len()]) };
            match wrote {
                Ok(count) => bytes = bytes.get(count..).unwrap_or(&[]),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Makes `stream` another name of this open file.
    pub fn duplicate_to(&self, stream: Stream) -> Result<(), Errno> {
        // SAFETY: the call takes numbers. It closes what was open as the stream, which belongs to the whole process.
        unsafe { call(raw::__NR_dup3, [self.0 as usize, stream.descriptor() as usize, 0]) }.map(|_| ())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Nothing was written that a failing close could lose.
        // SAFETY: this value owns the descriptor, and ends here.
        let _ = unsafe { call(raw::__NR_close, [self.0 as usize]) };
    }
}

/// A pipe: its reading end, then its writing end.
pub fn pipe() -> Result<(File, File), Errno> {
    let mut ends = [0i32; 2];
    // SAFETY: the kernel writes two ints at `ends`.
    unsafe { call(raw::__NR_pipe2, [ends.as_mut_ptr() as usize, 0]) }?;
    Ok((File(ends[0]), File(ends[1])))
}

/// Makes standard input another name of what is open as standard output.
pub fn duplicate_output_to_input() -> Result<(), Errno> {
    let args = [Stream::Output.descriptor() as usize, 0, 0];
    // SAFETY: the call takes numbers. It closes what was open as standard input, which belongs to the whole process.
    unsafe { call(raw::__NR_dup3, args) }.map(|_| ())
}
