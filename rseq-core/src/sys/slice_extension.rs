//! The time slice extension's system calls (Linux 7.0).

use super::{Errno, syscall};
use core::fmt;
use linux_raw_sys::general::__NR_prctl;

/// `PR_RSEQ_SLICE_EXTENSION`, newer than the headers that linux-raw-sys was made from.
const PR_RSEQ_SLICE_EXTENSION: usize = 79;
const PR_RSEQ_SLICE_EXTENSION_GET: usize = 1;
const PR_RSEQ_SLICE_EXTENSION_SET: usize = 2;
const PR_RSEQ_SLICE_EXT_ENABLE: usize = 1;

/// `rseq_slice_yield`, newer than those headers too: 471 counted from where the architecture's table starts.
const NR_RSEQ_SLICE_YIELD: u32 = 471 + SYSCALL_BASE;

const SYSCALL_BASE: u32 = if cfg!(any(target_arch = "mips", target_arch = "mips32r6")) {
    4000
} else if cfg!(any(target_arch = "mips64", target_arch = "mips64r6")) {
    5000
} else if cfg!(all(target_arch = "x86_64", target_pointer_width = "32")) {
    0x4000_0000
} else {
    0
};

/// The state of the time slice extension in this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceState {
    /// Available, and off.
    Disabled,
    /// On.
    Enabled,
}

/// The documented errors of the time slice extension's prctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SliceError {
    /// EINVAL: a kernel without the extension (before 7.0).
    NoExtension,
    /// ENOTSUPP: built without it, switched off at boot, or the registration is a legacy one.
    NotSupported,
    /// ENXIO: this thread has no registration.
    NotRegistered,
    /// An error that the call does not document.
    Other(Errno),
}

impl SliceError {
    /// The error number of this error.
    pub const fn errno(self) -> Errno {
        match self {
            Self::NoExtension => Errno::EINVAL,
            Self::NotSupported => Errno::ENOTSUPP,
            Self::NotRegistered => Errno::ENXIO,
            Self::Other(errno) => errno,
        }
    }
}

impl fmt::Display for SliceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self {
            Self::NoExtension => "the kernel has no time slice extension (Linux 7.0)",
            Self::NotSupported => "built without it, switched off at boot, or the registration has 32 bytes",
            Self::NotRegistered => "this thread has no registration",
            Self::Other(errno) => return write!(f, "prctl(PR_RSEQ_SLICE_EXTENSION): {errno}"),
        };
        write!(f, "prctl(PR_RSEQ_SLICE_EXTENSION): {why}: {}", self.errno())
    }
}

impl core::error::Error for SliceError {}

impl From<Errno> for SliceError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EINVAL => Self::NoExtension,
            Errno::ENOTSUPP | Errno::EOPNOTSUPP => Self::NotSupported,
            Errno::ENXIO => Self::NotRegistered,
            other => Self::Other(other),
        }
    }
}

fn prctl(operation: usize, argument: usize) -> Result<usize, SliceError> {
    let args = [PR_RSEQ_SLICE_EXTENSION, operation, argument, 0, 0, 0];
    // SAFETY: this prctl takes no pointer; it reads and sets a flag of the calling thread's registration.
    unsafe { syscall(__NR_prctl, args) }.map_err(SliceError::from)
}

/// `prctl(PR_RSEQ_SLICE_EXTENSION, PR_RSEQ_SLICE_EXTENSION_GET)` - this thread's state (since Linux 7.0).
///
/// # Errors
///
/// [`SliceError`].
pub fn slice_extension() -> Result<SliceState, SliceError> {
    let state = prctl(PR_RSEQ_SLICE_EXTENSION_GET, 0)?;
    Ok(if state & PR_RSEQ_SLICE_EXT_ENABLE != 0 { SliceState::Enabled } else { SliceState::Disabled })
}

/// `prctl(PR_RSEQ_SLICE_EXTENSION, PR_RSEQ_SLICE_EXTENSION_SET)` - switches it on or off in this thread (since Linux
/// 7.0).
///
/// # Errors
///
/// [`SliceError`].
pub fn set_slice_extension(state: SliceState) -> Result<(), SliceError> {
    let flag = match state {
        SliceState::Disabled => 0,
        SliceState::Enabled => PR_RSEQ_SLICE_EXT_ENABLE,
    };
    prctl(PR_RSEQ_SLICE_EXTENSION_SET, flag).map(|_| ())
}

/// `rseq_slice_yield()` - gives the CPU back after a granted extension (since Linux 7.0).
///
/// Returns whether the thread still held the grant when it yielded.
///
/// # Errors
///
/// [`Errno::ENOSYS`] before Linux 7.0.
pub fn rseq_slice_yield() -> Result<bool, Errno> {
    // SAFETY: the call takes no argument, and touches only `slice_ctrl` of the registered area, which the kernel
    // maintains.
    unsafe { syscall(NR_RSEQ_SLICE_YIELD, [0; 6]) }.map(|held| held != 0)
}
