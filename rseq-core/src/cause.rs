//! Why a thread's sections are off.

use crate::sys::{self, Errno};
use crate::{Owner, RegisterError};
use core::fmt;

/// Why per-CPU data does not work by sections. The text of each cause names the remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The kernel has no rseq: Linux before 4.18, with this version and patch level.
    OldKernel(u32, u32),
    /// The kernel is recent, but has no rseq(2) (ENOSYS).
    NotBuiltIn,
    /// A filter, such as a container's seccomp profile, refuses rseq(2) with this error; 0 if it fakes success.
    Filtered(Errno),
    /// Linux 6.19 and 7.0 on arm64 do not restart interrupted sections, so sections protect nothing.
    NotRestarted(u32, u32),
    /// The kernel has rseq, but no code registers threads: rseq-core was built without its feature `std`. The owner is
    /// the libc or the runtime that could register threads and is switched off.
    NothingRegisters(Option<Owner>),
    /// The libc or the runtime registers threads, but not this one: that library did not create it, or other code has
    /// released its registration.
    ThreadNotRegistered(Owner),
    /// This is a child of `vfork`, or of a clone without `CLONE_SETTLS`: it shares the thread pointer, and so the area,
    /// of another thread.
    SharedThreadPointer,
    /// Other code, such as a plugin with its own copy of this crate, has registered this thread at an unknown address:
    /// it exports no `__rseq_offset`.
    OtherOwner,
    /// The thread is ending, and its registration has been released.
    ThreadEnds,
    /// The machine's possible CPUs are not known, or there is no memory for per-CPU data.
    NoMemory,
    /// The registration was refused for another reason.
    Refused(RegisterError),
}

impl Cause {
    /// The cause that an error of a registration stands for.
    pub(crate) fn of(error: RegisterError) -> Self {
        match error {
            RegisterError::NoSyscall => match sys::kernel_version() {
                Some((version, patch)) if (version, patch) < (4, 18) => Self::OldKernel(version, patch),
                _ => Self::NotBuiltIn,
            },
            RegisterError::Blocked(errno) => Self::Filtered(errno),
            RegisterError::OtherOwner(_) => Self::OtherOwner,
            other => Self::Refused(other),
        }
    }

    /// This kernel's defect, if it has the one that makes sections useless.
    pub(crate) fn of_kernel() -> Option<Self> {
        let is_arm64 = match () {
            () if cfg!(target_arch = "aarch64") => true,
            () if cfg!(target_arch = "arm") => sys::is_arm64_kernel(),
            () => false,
        };
        if !is_arm64 {
            return None;
        }
        match sys::kernel_version()? {
            (6, 19) => Some(Self::NotRestarted(6, 19)),
            (7, 0) => Some(Self::NotRestarted(7, 0)),
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OldKernel(version, patch) => {
                write!(
                    f,
                    "Linux {version}.{patch} has no rseq, 4.18 and later have it (gVisor shows an old version too)"
                )
            }
            Self::NotBuiltIn => f.write_str(
                "the kernel was built without CONFIG_RSEQ, or valgrind, qemu-user, gVisor or a seccomp filter hides \
                 rseq(2)",
            ),
            Self::Filtered(Errno(0)) => {
                f.write_str("a filter fakes the success of rseq(2): allow the call in the container's seccomp profile")
            }
            Self::Filtered(errno) => {
                write!(f, "a filter refuses rseq(2) with {errno}: allow the call in the container's seccomp profile")
            }
            Self::NotRestarted(version, patch) => write!(
                f,
                "Linux {version}.{patch} on arm64 does not restart interrupted sections: update to 7.1 or later"
            ),
            Self::NothingRegisters(Some(Owner::Runtime)) => f.write_str(
                "the runtime leaves threads unregistered: unset RSEQ_RT=off, or register the thread yourself",
            ),
            Self::NothingRegisters(Some(_)) => f.write_str(
                "glibc leaves threads unregistered: remove glibc.pthread.rseq=0 from GLIBC_TUNABLES, or build \
                 rseq-core with its feature `std`",
            ),
            Self::NothingRegisters(None) => f.write_str(
                "the libc registers no threads (musl and bionic do not): build rseq-core with its feature `std`",
            ),
            Self::ThreadNotRegistered(owner) => write!(
                f,
                "{owner} registers threads, but this one is not registered: start threads by {owner} (raw clone does \
                 not register them)"
            ),
            Self::SharedThreadPointer => f.write_str(
                "this is a child of vfork or of a clone without CLONE_SETTLS, which has no thread pointer of its own",
            ),
            Self::OtherOwner => f.write_str(
                "another library has registered this thread without exporting __rseq_offset: register threads in one \
                 library only",
            ),
            Self::ThreadEnds => f.write_str("the thread is ending and has released its registration"),
            Self::NoMemory => f.write_str("no memory for per-CPU data, or the number of CPUs is not known"),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Cause {}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    #[test]
    fn each_cause_says_what_would_help() {
        let text = |cause: Cause| cause.to_string();
        assert!(text(Cause::OldKernel(3, 10)).contains("Linux 3.10 has no rseq, 4.18 and later"));
        assert!(text(Cause::NotBuiltIn).contains("CONFIG_RSEQ"));
        assert!(text(Cause::Filtered(Errno::EPERM)).contains("refuses rseq(2) with EPERM (1): allow"));
        assert!(text(Cause::Filtered(Errno(0))).contains("fakes"));
        assert!(text(Cause::NothingRegisters(None)).contains("feature `std`"));
        assert!(text(Cause::NothingRegisters(Some(Owner::Libc))).contains("glibc.pthread.rseq=0"));
        assert!(text(Cause::NothingRegisters(Some(Owner::Runtime))).contains("RSEQ_RT=off"));
        assert!(text(Cause::SharedThreadPointer).contains("vfork"));
        assert!(text(Cause::ThreadNotRegistered(Owner::Runtime)).contains("start threads by the runtime"));
        assert!(text(Cause::OtherOwner).contains("__rseq_offset"));
        assert!(text(Cause::ThreadEnds).contains("the thread is ending"));
        assert!(text(Cause::NoMemory).contains("no memory"));
        assert!(text(Cause::Refused(RegisterError::Fault)).contains("cannot write the rseq area"));
        assert!(text(Cause::NotRestarted(7, 0)).contains("Linux 7.0 on arm64"));
    }

    #[test]
    fn errors_of_a_registration_have_causes() {
        assert_eq!(Cause::of(RegisterError::Blocked(Errno::EPERM)), Cause::Filtered(Errno::EPERM));
        assert_eq!(Cause::of(RegisterError::OtherOwner(None)), Cause::OtherOwner);
        assert_eq!(Cause::of(RegisterError::NoSyscall), Cause::NotBuiltIn, "this kernel is later than 4.18");
        assert_eq!(Cause::of(RegisterError::Fault), Cause::Refused(RegisterError::Fault));
    }
}
