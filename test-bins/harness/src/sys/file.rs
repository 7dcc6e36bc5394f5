//! Files, by descriptor.

use core::ffi::CStr;

use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;

use super::{call, harmless};

/// An open file that is closed when it is dropped.
pub struct File(i32);

impl File {
    /// `openat(directory, path, flags | O_CLOEXEC)`; `directory` matters for a relative path only.
    pub fn open_at(directory: i32, path: &CStr, flags: u32) -> Result<Self, Errno> {
        let args = [directory as usize, path.as_ptr() as usize, (flags | raw::O_CLOEXEC) as usize, 0o600];
        // SAFETY: the path is a NUL-terminated string that lives across the call.
        unsafe { call(raw::__NR_openat, args) }.map(Self::from_raw)
    }

    /// Opens `path` for reading.
    pub fn open(path: &CStr) -> Result<Self, Errno> {
        Self::open_at(raw::AT_FDCWD, path, raw::O_RDONLY)
    }

    /// Takes over the descriptor that a system call returned.
    pub fn from_raw(descriptor: usize) -> Self {
        Self(descriptor as i32)
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
    pub fn write(&self, bytes: &[u8]) -> Result<(), Errno> {
        write_all(self.0, bytes)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Nothing was written that a failing close could lose.
        let _ = harmless(raw::__NR_close, [self.0 as usize]);
    }
}

/// Writes all of `bytes` to `descriptor`.
pub fn write_all(descriptor: i32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads at most `bytes.len()` bytes of `bytes`.
        let wrote = unsafe { call(raw::__NR_write, [descriptor as usize, bytes.as_ptr() as usize, bytes.len()]) };
        match wrote {
            Ok(count) => bytes = bytes.get(count..).unwrap_or(&[]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// A pipe: its reading end, then its writing end.
pub fn pipe() -> Result<(File, File), Errno> {
    let mut ends = [0i32; 2];
    // SAFETY: the kernel writes two ints at `ends`.
    unsafe { call(raw::__NR_pipe2, [ends.as_mut_ptr() as usize, 0]) }?;
    Ok((File(ends[0]), File(ends[1])))
}

/// Makes `target` another name of the open file `descriptor`.
pub fn duplicate_to(descriptor: i32, target: i32) -> Result<(), Errno> {
    harmless(raw::__NR_dup3, [descriptor as usize, target as usize, 0]).map(|_| ())
}
