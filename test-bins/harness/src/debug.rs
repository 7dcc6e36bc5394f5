//! The kernel's own checks of rseq users: debugfs `rseq/debug` (Linux 6.19), read and switched without mounting
//! anything.

use linux_raw_sys::general::{O_RDONLY, O_WRONLY};
use rseq_core::sys::Errno;

use crate::sys::filesystem::Filesystem;

/// The switch of this kernel, restored when dropped.
pub struct Debugging {
    debugfs: Filesystem,
    before: bool,
}

impl Debugging {
    /// The switch.
    ///
    /// # Errors
    ///
    /// ENOENT where the kernel has none, EPERM without privilege, ENODEV without debugfs.
    pub fn open() -> Result<Self, Errno> {
        let debugfs = Filesystem::of_type(c"debugfs")?;
        let before = read(&debugfs)?;
        Ok(Self { debugfs, before })
    }

    /// Whether the checks are on.
    pub fn is_on(&self) -> Result<bool, Errno> {
        read(&self.debugfs)
    }

    /// Switches the checks, for every process of this machine.
    pub fn set(&self, on: bool) -> Result<(), Errno> {
        self.debugfs.open(c"rseq/debug", O_WRONLY)?.write(if on { b"1" } else { b"0" })
    }
}

impl Drop for Debugging {
    fn drop(&mut self) {
        if self.set(self.before).is_err() {
            crate::note!("rseq/debug could not be put back to {}", u8::from(self.before));
        }
    }
}

fn read(debugfs: &Filesystem) -> Result<bool, Errno> {
    let mut text = [0; 8];
    match debugfs.open(c"rseq/debug", O_RDONLY)?.read(&mut text)?.first() {
        Some(b'0') => Ok(false),
        Some(b'1') => Ok(true),
        _ => Err(Errno::EINVAL),
    }
}
