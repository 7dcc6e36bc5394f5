//! `membarrier(2)`, as far as rseq uses it: the fence that restarts other threads' running sections.

use super::{Errno, syscall};
use core::fmt;
use linux_raw_sys::general::{__NR_membarrier, membarrier_cmd, membarrier_cmd_flag};

const QUERY: u32 = membarrier_cmd::MEMBARRIER_CMD_QUERY as u32;
const REGISTER_RSEQ: u32 = membarrier_cmd::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ as u32;
const RSEQ: u32 = membarrier_cmd::MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ as u32;
const FLAG_CPU: u32 = membarrier_cmd_flag::MEMBARRIER_CMD_FLAG_CPU as u32;

/// The set of commands that this kernel has, as `MEMBARRIER_CMD_QUERY` returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commands(pub u32);

impl Commands {
    /// Whether the kernel has the rseq fence and its registration (Linux 5.10).
    pub const fn has_rseq(self) -> bool {
        self.0 & RSEQ != 0 && self.0 & REGISTER_RSEQ != 0
    }
}

/// The documented errors of `membarrier(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MembarrierError {
    /// ENOSYS: a kernel without `CONFIG_MEMBARRIER`, or a filter that hides the call.
    NoSyscall,
    /// EINVAL: no such command here (before Linux 5.10, or without `CONFIG_RSEQ`), or an unknown flag.
    NoCommand,
    /// EPERM: the process did not call [`register_membarrier_rseq`].
    NotRegistered,
    /// ENOMEM: the kernel found no memory for its CPU mask.
    NoMemory,
    /// EAGAIN: the kernel abandoned the fence; try again.
    TryAgain,
    /// An error that the call does not document.
    Other(Errno),
}

impl MembarrierError {
    /// The error number of this error.
    pub const fn errno(self) -> Errno {
        match self {
            Self::NoSyscall => Errno::ENOSYS,
            Self::NoCommand => Errno::EINVAL,
            Self::NotRegistered => Errno::EPERM,
            Self::NoMemory => Errno::ENOMEM,
            Self::TryAgain => Errno::EAGAIN,
            Self::Other(errno) => errno,
        }
    }
}

impl fmt::Display for MembarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self {
            Self::NoSyscall => "the kernel is built without it, or a filter hides it",
            Self::NoCommand => "the kernel has no fence for rseq (Linux 5.10)",
            Self::NotRegistered => "the process has not registered for the fence",
            Self::NoMemory => "no memory for a set of CPUs",
            Self::TryAgain => "given up; try again",
            Self::Other(errno) => return write!(f, "membarrier(2): {errno}"),
        };
        write!(f, "membarrier(2): {why}: {}", self.errno())
    }
}

impl core::error::Error for MembarrierError {}

impl From<Errno> for MembarrierError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENOSYS => Self::NoSyscall,
            Errno::EINVAL => Self::NoCommand,
            Errno::EPERM => Self::NotRegistered,
            Errno::ENOMEM => Self::NoMemory,
            Errno::EAGAIN => Self::TryAgain,
            other => Self::Other(other),
        }
    }
}

/// Whose running sections a fence restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// Those of this process on every CPU.
    All,
    /// Those of this process on one CPU. A number that is impossible or offline is accepted and does nothing.
    Cpu(u32),
}

fn membarrier(command: u32, flags: u32, cpu: u32) -> Result<usize, MembarrierError> {
    let args = [command as usize, flags as usize, cpu as usize, 0, 0, 0];
    // SAFETY: no membarrier command reads or writes user memory.
    unsafe { syscall(__NR_membarrier, args) }.map_err(MembarrierError::from)
}

/// `membarrier(MEMBARRIER_CMD_QUERY)` - the commands that this kernel has (since Linux 4.3).
///
/// # Errors
///
/// [`MembarrierError::NoSyscall`].
pub fn membarrier_query() -> Result<Commands, MembarrierError> {
    membarrier(QUERY, 0, 0).map(|mask| Commands(mask as u32))
}

/// `membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)` - registers the process for the fence, once (since
/// Linux 5.10).
///
/// # Errors
///
/// [`MembarrierError::NoCommand`] where the kernel has no rseq fence, [`MembarrierError::NoSyscall`].
pub fn register_membarrier_rseq() -> Result<(), MembarrierError> {
    membarrier(REGISTER_RSEQ, 0, 0).map(|_| ())
}

/// `membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ)` - restarts the sections that other threads of this process run,
/// and orders memory with them (since Linux 5.10).
///
/// With one thread in the process, or one CPU online, it does nothing.
///
/// # Errors
///
/// [`MembarrierError::NotRegistered`] before [`register_membarrier_rseq`]; [`MembarrierError::NoCommand`] and
/// [`MembarrierError::NoSyscall`] as there.
pub fn membarrier_rseq(fence: Fence) -> Result<(), MembarrierError> {
    match fence {
        Fence::All => membarrier(RSEQ, 0, 0),
        Fence::Cpu(cpu) => membarrier(RSEQ, FLAG_CPU, cpu),
    }
    .map(|_| ())
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    #[test]
    fn an_error_names_the_call_the_cause_and_the_number() {
        let [known, other] = [Errno::EINVAL, Errno(1000)].map(|errno| MembarrierError::from(errno).to_string());
        assert_eq!(known, "membarrier(2): the kernel has no fence for rseq (Linux 5.10): EINVAL (22)");
        assert_eq!(other, "membarrier(2): errno 1000");
    }
}
