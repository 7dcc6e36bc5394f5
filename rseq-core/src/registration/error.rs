//! Why a thread is not registered, or is still registered.

use crate::libc_area::Owner;
use crate::sys::Errno;
use core::fmt;

/// Why this thread's area is not registered by this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// ENOSYS, and the auxiliary vector has no rseq entries: a kernel without rseq (before Linux 4.18, or no
    /// `CONFIG_RSEQ`).
    NoSyscall,
    /// A filter, such as seccomp's, refuses the call. The error is one that `kernel/rseq.c` does not return here: EPERM
    /// for an area that is not registered, ENOSYS although the auxiliary vector has rseq entries, EACCES, EUCLEAN or
    /// any other that `rseq(2)` does not document; 0 if the filter made the call look successful.
    Blocked(Errno),
    /// The thread is registered, by another owner. `None` is an owner that this program does not know: it exports no
    /// `__rseq_offset`, and did not use [`Registration::at`](crate::Registration::at) of this crate.
    OtherOwner(Option<Owner>),
    /// The thread is registered at this area, with another signature than this architecture's.
    SignatureDiffers,
    /// The area's address is not a multiple of this many bytes.
    Misaligned(u32),
    /// The area's size in bytes, less than the 32 that every kernel requires.
    TooSmall(usize),
    /// The kernel cannot write the area (EFAULT).
    Fault,
    /// Neither a libc nor a runtime registered this thread, so there is nothing to adopt.
    NothingToAdopt,
    /// This thread has no thread pointer, and so no own area: neither a libc nor a runtime has set up static TLS, as in
    /// programs on the kernel's nolibc. [`Registration::at`](crate::Registration::at) takes an area of the program's.
    NoThreadPointer,
}

impl RegisterError {
    /// Whether rseq is not available here: the kernel lacks it, or a filter refuses it.
    pub const fn is_unavailable(self) -> bool {
        matches!(self, Self::NoSyscall | Self::Blocked(_))
    }

    /// The error as `rseq(2)` returns it, for interfaces that report by `errno`. Where the call was not made, it is the
    /// error that the kernel returns for the same reason. A filter that fakes success counts as ENOSYS.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::{Owner, RegisterError, sys::Errno};
    ///
    /// assert_eq!(RegisterError::OtherOwner(Some(Owner::Libc)).errno(), Errno::EBUSY);
    /// ```
    pub const fn errno(self) -> Errno {
        match self {
            Self::NoSyscall | Self::Blocked(Errno(0)) => Errno::ENOSYS,
            Self::Blocked(errno) => errno,
            Self::OtherOwner(_) => Errno::EBUSY,
            Self::SignatureDiffers => Errno::EPERM,
            Self::Misaligned(_) | Self::TooSmall(_) => Errno::EINVAL,
            Self::Fault => Errno::EFAULT,
            Self::NothingToAdopt => Errno::ESRCH,
            Self::NoThreadPointer => Errno::ENXIO,
        }
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSyscall => write!(f, "this kernel has no rseq"),
            Self::Blocked(Errno(0)) => write!(f, "rseq is blocked: a filter, such as seccomp's, fakes its success"),
            Self::Blocked(errno) => write!(f, "rseq is blocked by a filter, such as seccomp's: {errno}"),
            Self::OtherOwner(Some(owner)) => write!(f, "{owner} has registered this thread for rseq"),
            Self::OtherOwner(None) => write!(f, "an unknown owner has registered this thread for rseq"),
            Self::SignatureDiffers => write!(f, "this thread is registered for rseq with another signature"),
            Self::Misaligned(align) => write!(f, "the rseq area is not aligned to {align} bytes"),
            Self::TooSmall(size) => write!(f, "an rseq area has at least 32 bytes, not {size}"),
            Self::Fault => write!(f, "the kernel cannot write the rseq area"),
            Self::NothingToAdopt => write!(f, "neither a libc nor a runtime has registered this thread for rseq"),
            Self::NoThreadPointer => {
                write!(f, "this thread has no thread pointer: set up static TLS, or register an area of the program's")
            }
        }
    }
}

impl core::error::Error for RegisterError {}

/// Why a registration could not be released. Except for [`NotRegistered`](Self::NotRegistered), the thread is still
/// registered: the memory of its area must stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The kernel has no such registration of this thread (EINVAL): other code released it, or the thread is a clone.
    NotRegistered,
    /// The registration has another signature (EPERM), or a filter that was installed later refuses the call.
    Refused,
    /// A filter that was installed later refuses the call with this error, which `kernel/rseq.c` does not return here;
    /// 0 if it made the call look successful.
    Blocked(Errno),
}

impl ReleaseError {
    /// The error as `rseq(2)` returns it. A filter that fakes success counts as ENOSYS.
    pub const fn errno(self) -> Errno {
        match self {
            Self::NotRegistered => Errno::EINVAL,
            Self::Refused => Errno::EPERM,
            Self::Blocked(Errno(0)) => Errno::ENOSYS,
            Self::Blocked(errno) => errno,
        }
    }
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered => write!(f, "this thread's rseq registration was gone"),
            Self::Refused => write!(f, "releasing this thread's rseq registration is refused"),
            Self::Blocked(errno) => {
                write!(f, "a filter blocks the release of this thread's rseq registration: {errno}")
            }
        }
    }
}

impl core::error::Error for ReleaseError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_the_errno_of_the_call() {
        let register = [
            (RegisterError::NoSyscall, Errno::ENOSYS),
            (RegisterError::Blocked(Errno(0)), Errno::ENOSYS),
            (RegisterError::Blocked(Errno::EACCES), Errno::EACCES),
            (RegisterError::OtherOwner(None), Errno::EBUSY),
            (RegisterError::SignatureDiffers, Errno::EPERM),
            (RegisterError::Misaligned(32), Errno::EINVAL),
            (RegisterError::TooSmall(20), Errno::EINVAL),
            (RegisterError::Fault, Errno::EFAULT),
            (RegisterError::NothingToAdopt, Errno::ESRCH),
            (RegisterError::NoThreadPointer, Errno::ENXIO),
        ];
        register.iter().for_each(|(error, errno)| assert_eq!(error.errno(), *errno, "{error}"));
        let release = [
            (ReleaseError::NotRegistered, Errno::EINVAL),
            (ReleaseError::Refused, Errno::EPERM),
            (ReleaseError::Blocked(Errno(0)), Errno::ENOSYS),
            (ReleaseError::Blocked(Errno::EACCES), Errno::EACCES),
        ];
        release.iter().for_each(|(error, errno)| assert_eq!(error.errno(), *errno, "{error}"));
    }
}
