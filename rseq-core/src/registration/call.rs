//! The system call, and the meaning of its errors for a registration.

use super::error::{RegisterError, ReleaseError};
use super::ours;
use super::request::{Attempt, Request};
use crate::abi::{self, Rseq};
use crate::arch;
use crate::area::{ThreadArea, read};
use crate::kernel::KernelRseq;
use crate::libc_area::Owner;
use crate::sys::{self, CallError, Errno};
use core::mem::offset_of;
use core::ptr::NonNull;

/// A flag that no kernel has.
const UNKNOWN_FLAG: u32 = 1 << 31;

/// Registers as much of `area` as the kernel accepts, and returns how much. An error leaves registration and area
/// unchanged: nothing is written before the kernel has accepted the area, and only the last call can succeed.
///
/// # Safety
///
/// The bytes that `request` names at `area` are this thread's memory until the registration is released. Unless the
/// thread is registered there, their `rseq_cs` and `flags` are 0.
pub(super) unsafe fn register(
    area: NonNull<Rseq>,
    request: Request,
    kernel: KernelRseq,
) -> Result<Attempt, RegisterError> {
    for attempt in request.attempts() {
        // SAFETY: the caller's contract is the call's: the memory stays valid until the release.
        match unsafe { sys::rseq(area.as_ptr(), attempt.len, attempt.flags, arch::SIGNATURE) } {
            Ok(()) if is_registered(area) => {
                ours::add();
                return Ok(attempt);
            }
            // The kernel writes the CPU before the call returns.
            Ok(()) => return Err(RegisterError::Blocked(Errno(0))),
            Err(CallError::Invalid) => {}
            Err(error) => return Err(explain(error, area, attempt, kernel)),
        }
    }
    // Every kernel accepts the last attempt from a thread that is not registered.
    Err(RegisterError::OtherOwner(ours::contains_this_thread().then_some(Owner::Own)))
}

/// The meaning of any error but EINVAL.
fn explain(error: CallError, area: NonNull<Rseq>, attempt: Attempt, kernel: KernelRseq) -> RegisterError {
    match error {
        CallError::NoSyscall if !kernel.has_feature_size() => RegisterError::NoSyscall,
        CallError::Permission if kernel_answers(area, attempt.len) => RegisterError::SignatureDiffers,
        CallError::Busy => RegisterError::OtherOwner(Some(Owner::Own)),
        CallError::Fault => RegisterError::Fault,
        filtered => RegisterError::Blocked(filtered.errno()),
    }
}

/// Whether a thread could be registered here, by a call that changes nothing.
///
/// # Errors
///
/// [`RegisterError::NoSyscall`] and [`RegisterError::Blocked`].
pub(crate) fn probe() -> Result<(), RegisterError> {
    match invalid_call(arch::own_area(), abi::ORIGINAL_SIZE) {
        Err(CallError::Invalid) => Ok(()),
        Err(CallError::NoSyscall) if !KernelRseq::read().has_feature_size() => Err(RegisterError::NoSyscall),
        Err(filtered) => Err(RegisterError::Blocked(filtered.errno())),
        Ok(()) => Err(RegisterError::Blocked(Errno(0))),
    }
}

/// Whether the answer comes from the kernel: it calls an unregistration with an unknown flag invalid before it checks
/// anything else, whereas a filter that refuses the call refuses this one too.
fn kernel_answers(area: NonNull<Rseq>, len: u32) -> bool {
    invalid_call(area, len) == Err(CallError::Invalid)
}

fn invalid_call(area: NonNull<Rseq>, len: u32) -> Result<(), CallError> {
    let flags = abi::FLAG_UNREGISTER | UNKNOWN_FLAG;
    // SAFETY: the call registers nothing, because it asks for a release, and releases nothing, because the flag is
    // unknown.
    unsafe { sys::rseq(area.as_ptr(), len, flags, arch::SIGNATURE) }
}

fn is_registered(area: NonNull<Rseq>) -> bool {
    read(ThreadArea::new(area, 0), offset_of!(Rseq, cpu_id)) < abi::CPU_ID_REGISTRATION_FAILED
}

/// Unregisters, and resets the area to its initial state before a signal handler can read it: the kernel leaves a
/// concurrency ID of 0, which a section would take for a slot.
///
/// Blocked signals are the only way to close this gap, at the price of two more system calls. No order of stores does:
/// the kernel itself writes the 0 during its call, after any earlier store, and a handler may run before the next
/// instruction. A handler that kept a token by concurrency ID would then compare 0 with 0, in a thread whose sections
/// are not restarted.
///
/// # Safety
///
/// `len` bytes at `area` are what this thread registered.
pub(super) unsafe fn unregister(area: NonNull<Rseq>, len: u32) -> Result<(), ReleaseError> {
    sys::with_signals_blocked(|| {
        // SAFETY: it registers nothing, and by the caller's contract the registration that it releases is this thread's
        // own, so that no other owner's sections lose their protection.
        match unsafe { sys::rseq(area.as_ptr(), len, abi::FLAG_UNREGISTER, arch::SIGNATURE) } {
            // The kernel writes -1 as the CPU before the call returns.
            Ok(()) if is_registered(area) => Err(ReleaseError::Blocked(Errno(0))),
            Ok(()) => {
                // SAFETY: at least 32 bytes of this thread's memory, which the kernel no longer maintains.
                unsafe { reset(area) };
                ours::remove();
                Ok(())
            }
            Err(CallError::Invalid) => Err(ReleaseError::NotRegistered),
            Err(CallError::Permission) => Err(ReleaseError::Refused),
            Err(filtered) => Err(ReleaseError::Blocked(filtered.errno())),
        }
    })
}

/// Resets an area to the state without a registration: no CPU, no concurrency ID, no section.
///
/// # Safety
///
/// `area` is 32 bytes of this thread's memory that the kernel does not maintain.
unsafe fn reset(area: NonNull<Rseq>) {
    let area = area.as_ptr();
    // SAFETY: the fields are among the first 32 bytes, no other thread writes them, and signal handlers of this thread
    // read them with volatile accesses only.
    unsafe {
        (&raw mut (*area).cpu_id).write_volatile(abi::CPU_ID_UNINITIALIZED);
        (&raw mut (*area).mm_cid).write_volatile(abi::CPU_ID_UNINITIALIZED);
        (&raw mut (*area).cpu_id_start).write_volatile(0);
        (&raw mut (*area).rseq_cs).write_volatile(0);
        (&raw mut (*area).flags).write_volatile(0);
    }
}
