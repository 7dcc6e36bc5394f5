//! `rseq(2)` itself.

use super::Errno;
use crate::abi::Rseq;
use core::fmt;
use linux_raw_sys::general::__NR_rseq;

/// The documented errors of `rseq(2)`, as `kernel/rseq.c` returns them. The condition that each stands for depends on
/// the call: [`RegisterError`](crate::RegisterError) has the conditions of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// ENOSYS: a kernel without `CONFIG_RSEQ`, or a filter that hides the call.
    NoSyscall,
    /// EINVAL: an unknown flag, a refused length or alignment, another registration, or nothing to release.
    Invalid,
    /// EPERM: another signature than the registration's, or a seccomp filter.
    Permission,
    /// EBUSY: this very registration exists.
    Busy,
    /// EFAULT: the area is not writable memory.
    Fault,
    /// An error that the call does not document.
    Other(Errno),
}

impl CallError {
    /// The error number of this error.
    pub const fn errno(self) -> Errno {
        match self {
            Self::NoSyscall => Errno::ENOSYS,
            Self::Invalid => Errno::EINVAL,
            Self::Permission => Errno::EPERM,
            Self::Busy => Errno::EBUSY,
            Self::Fault => Errno::EFAULT,
            Self::Other(errno) => errno,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self {
            Self::NoSyscall => "the kernel is built without it, or a filter hides it",
            Self::Invalid => "a flag, length or alignment is refused, or another registration is there",
            Self::Permission => "another signature than the registration has, or a filter",
            Self::Busy => "this very registration is there",
            Self::Fault => "the area is not writable memory",
            Self::Other(errno) => return write!(f, "rseq(2): {errno}"),
        };
        write!(f, "rseq(2): {why}: {}", self.errno())
    }
}

impl core::error::Error for CallError {}

impl From<Errno> for CallError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENOSYS => Self::NoSyscall,
            Errno::EINVAL => Self::Invalid,
            Errno::EPERM => Self::Permission,
            Errno::EBUSY => Self::Busy,
            Errno::EFAULT => Self::Fault,
            other => Self::Other(other),
        }
    }
}

/// `rseq(area, len, flags, signature)` - registers an area for this thread, or releases it (since Linux 4.18).
///
/// # Errors
///
/// [`CallError`], see `kernel/rseq.c`.
///
/// # Safety
///
/// After a registration the kernel writes `len` bytes at `area` at any time, until it is released or the thread ends:
/// the memory must stay valid for that long. Releasing the registration of another owner removes the protection of that
/// owner's sections.
pub unsafe fn rseq(area: *mut Rseq, len: u32, flags: u32, signature: u32) -> Result<(), CallError> {
    // SAFETY: the same contract.
    unsafe { rseq_raw(area as usize, len, flags, signature) }.map_err(CallError::from)
}

/// [`rseq`] with any address and the bare error number, for tests of the call.
///
/// # Errors
///
/// The kernel's error number.
///
/// # Safety
///
/// As [`rseq`]; an address that the kernel refuses is harmless.
pub unsafe fn rseq_raw(area: usize, len: u32, flags: u32, signature: u32) -> Result<(), Errno> {
    let args = [area, len as usize, flags as usize, signature as usize, 0, 0];
    // SAFETY: the caller answers for the memory at `area`; the call has no other effect.
    unsafe { super::syscall(__NR_rseq, args) }.map(|_| ())
}
