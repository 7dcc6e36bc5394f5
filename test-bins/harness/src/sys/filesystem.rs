//! The kernel's own filesystems, opened without a mount point, so that nothing changes outside of this process.

use core::ffi::CStr;

use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;

use super::call;
use super::file::File;

/// A directory handle on a filesystem such as tracefs or debugfs (since Linux 5.2; requires CAP_SYS_ADMIN).
pub struct Filesystem(File);

impl Filesystem {
    /// Opens the filesystem of this type.
    pub fn of_type(name: &CStr) -> Result<Self, Errno> {
        Self::with_option(name, None)
    }

    /// Opens the filesystem of this type, mounted with an option that has no value.
    pub fn with_option(name: &CStr, option: Option<&CStr>) -> Result<Self, Errno> {
        // SAFETY: the name is a NUL-terminated string that lives across the call, which returns a new descriptor.
        let context = unsafe { File::of_call(raw::__NR_fsopen, [name.as_ptr() as usize, 1]) }?;
        if let Some(option) = option {
            let set = raw::fsconfig_command::FSCONFIG_SET_FLAG as usize;
            // SAFETY: the option is a NUL-terminated string that lives across the call; this command takes no value.
            unsafe { call(raw::__NR_fsconfig, [context.descriptor() as usize, set, option.as_ptr() as usize, 0, 0]) }?;
        }
        let create = raw::fsconfig_command::FSCONFIG_CMD_CREATE as usize;
        // SAFETY: this command takes no pointer, and only changes the context.
        unsafe { call(raw::__NR_fsconfig, [context.descriptor() as usize, create, 0, 0, 0]) }?;
        // SAFETY: the call takes numbers, and returns a new descriptor.
        unsafe { File::of_call(raw::__NR_fsmount, [context.descriptor() as usize, 1, 0]) }.map(Self)
    }

    /// The root directory.
    pub fn root(&self) -> &File {
        &self.0
    }

    /// Opens the file at `path`, relative to the filesystem's root.
    pub fn open(&self, path: &CStr, flags: u32) -> Result<File, Errno> {
        File::open_at(self.0.descriptor(), path, flags)
    }
}
