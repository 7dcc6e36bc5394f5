//! Registering and unregistering the calling thread.

use crate::errno::fail;
use crate::symbols::{owns, rseq_size};
use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};
use rseq_core::sys::Errno;
use rseq_core::{KernelRseq, Mode, OwnArea, RegisterError, Registration, ReleaseError, abi, arch};

/// Bytes of the registrations that this library made last.
static LEN: AtomicU32 = AtomicU32::new(abi::ORIGINAL_SIZE);

/// `int rseq_register_current_thread(void)` - registers the calling thread for rseq (Linux 4.18).
///
/// Each thread calls it before its first section, unless the libc registers threads (glibc 2.35): then there is
/// nothing to do. Returns 0; or -1 and `errno`:
///
/// * `ENOSYS`: the kernel has no rseq, or a filter hides it.
/// * `EBUSY`: the thread is registered already. librseq ends the process then.
/// * `EPERM` or another: a filter, such as a container's seccomp profile, refuses the call.
///
/// A thread that was registered calls [`rseq_unregister_current_thread`] before it ends.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_register_current_thread() -> c_int {
    if !owns() {
        return 0;
    }
    register(Mode::Extended).map_or_else(|error| fail(error.errno()), |()| 0)
}

/// `int __rseq_register_current_thread(bool nolibc, bool legacy)` - the same under the name in the kernel's selftests.
///
/// With `legacy`, 32 bytes are registered whatever the kernel has. With `nolibc`, a registration that the libc made
/// is an error: -`EBUSY` is returned, and `errno` left alone.
#[unsafe(no_mangle)]
pub extern "C" fn __rseq_register_current_thread(nolibc: bool, legacy: bool) -> c_int {
    if !owns() {
        return if nolibc { -Errno::EBUSY.0 } else { 0 };
    }
    let mode = if legacy { Mode::Legacy } else { Mode::Extended };
    register(mode).map_or_else(|error| fail(error.errno()), |()| 0)
}

/// `int rseq_unregister_current_thread(void)` - ends the calling thread's registration (Linux 4.18).
///
/// The area then shows no CPU and no concurrency ID, so that sections leave without an effect. Nothing is done where
/// the libc registers threads. Returns 0; or -1 and `errno`: `EINVAL` if the thread is not registered, `EPERM` or
/// another if a filter refuses the call.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_unregister_current_thread() -> c_int {
    if !owns() {
        return 0;
    }
    let len = LEN.load(Ordering::Relaxed);
    let released = match release(len) {
        // Registered by another mode than the last thread.
        Err(ReleaseError::NotRegistered) => {
            let extended = KernelRseq::read().registration_len();
            release(if len == extended { abi::ORIGINAL_SIZE } else { extended })
        }
        released => released,
    };
    released.map_or_else(|error| fail(error.errno()), |()| 0)
}

fn register(mode: Mode) -> Result<(), RegisterError> {
    // SAFETY: that the registration is released before the thread ends, and that the thread is no child of `vfork`, is
    // for the C program to see to, as it is with librseq. The kernel's facts are those that the core itself has read.
    let registration = unsafe { Registration::<OwnArea>::own(mode) }?;
    let (_, len) = registration.into_raw();
    LEN.store(len, Ordering::Relaxed);
    let active = KernelRseq::read().active_size().min(len);
    let _ = rseq_size.compare_exchange(0, active, Ordering::Relaxed, Ordering::Relaxed);
    Ok(())
}

fn release(len: u32) -> Result<(), ReleaseError> {
    // SAFETY: the area and length that a registration of this thread gave up, if it made one; else the kernel knows
    // none, and nothing is changed.
    unsafe { Registration::from_raw(arch::own_area(), len) }.release()
}
