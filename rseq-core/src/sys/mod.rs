//! The system calls that rseq needs, typed, without a libc.

mod auxv;
mod child;
mod cpu;
mod errno;
mod file;
pub(crate) mod mappings;
mod membarrier;
mod process;
mod rseq;
mod signals;
mod slice_extension;
mod uname;

pub(crate) use auxv::auxiliary_vector;
#[cfg(all(test, not(miri), not(rseq_stub)))]
pub(crate) use child::in_limited_child;
pub(crate) use child::{exit, in_child};
pub use cpu::{Cpu, getcpu};
pub(crate) use cpu::{affinity_mask_size, yield_now};
pub use errno::Errno;
pub(crate) use file::read_file;
pub use mappings::page_size;
pub use membarrier::{Commands, Fence, MembarrierError, membarrier_query, membarrier_rseq, register_membarrier_rseq};
pub(crate) use process::generation;
#[cfg(all(feature = "std", not(rseq_stub)))]
pub(crate) use process::thread_id;
pub use rseq::{CallError, rseq, rseq_raw};
#[cfg(all(test, not(miri), not(rseq_stub)))]
pub(crate) use signals::blocked_signals;
#[doc(hidden)] // for rseq-rt and the tests
pub use signals::{SIGSET_BYTES, SignalAction, SignalSet};
pub(crate) use signals::{alarm_after, end_with, unblock_only, with_signals_blocked};
pub use slice_extension::{SliceError, SliceState, rseq_slice_yield, set_slice_extension, slice_extension};
pub(crate) use uname::{is_arm64_kernel, kernel_version};

/// MIPS orders and sizes some of the kernel's structures in its own way.
const IS_MIPS: bool = cfg!(any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6"));

/// `syscall(nr, args)` - any system call, by number.
///
/// # Errors
///
/// What the kernel returned between -4095 and -1, as an [`Errno`].
///
/// # Safety
///
/// The caller answers for the effects of the call on memory, on the thread and on the process.
#[inline]
pub unsafe fn syscall(nr: u32, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the caller answers for the call's effects; the architecture's function only moves registers.
    let value = unsafe { crate::arch::syscall(nr, args) };
    match value {
        -4095..=-1 => Err(Errno(-value as i32)),
        value => Ok(value as usize),
    }
}
