//! Registering and unregistering the calling thread.

use crate::errno::fail;
use crate::symbols::{owns, rseq_size};
use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};
use rseq_core::sys::Errno;
use rseq_core::{KernelRseq, Mode, OwnArea, RegisterError, Registration, ReleaseError, abi, arch};

/// The length in bytes of this library's most recent registration, in any thread.
static LEN: AtomicU32 = AtomicU32::new(abi::ORIGINAL_SIZE);

/// `int rseq_register_current_thread(void)` - registers the calling thread for rseq (Linux 4.18).
///
/// Each thread calls it before its first section. If the libc registers threads (glibc 2.35), it does nothing and
/// returns 0. Otherwise it returns 0; or -1 and `errno`:
///
/// * `ENOSYS`: the kernel has no rseq, or a filter hides it.
/// * `EBUSY`: the thread is already registered. librseq calls abort(3) in this case.
/// * `EPERM` or another: a filter, such as a container's seccomp profile, refuses the call.
///
/// A thread that was registered by this call must call [`rseq_unregister_current_thread`] before it ends.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_register_current_thread() -> c_int {
    if !owns() {
        return 0;
    }
    register(Mode::Extended).map_or_else(|error| fail(error.errno()), |()| 0)
}

/// `int __rseq_register_current_thread(bool nolibc, bool legacy)` - registers the calling thread, under the name that
/// the kernel's selftests use.
///
/// With `legacy`, it registers 32 bytes even if the kernel has more fields. With `nolibc`, it returns -`EBUSY` and
/// leaves `errno` unchanged if the libc registers threads. Otherwise it is [`rseq_register_current_thread`].
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
/// Afterwards `cpu_id` and `mm_cid` of the area are -1, so that sections exit without storing anything. If the libc
/// registers threads, it does nothing and returns 0. Otherwise it returns 0; or -1 and `errno`: `EINVAL` if the thread
/// is not registered, `EPERM` or another if a filter refuses the call.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_unregister_current_thread() -> c_int {
    if !owns() {
        return 0;
    }
    let len = LEN.load(Ordering::Relaxed);
    let released = match release(len) {
        // This thread was registered in another mode than the most recent one.
        Err(ReleaseError::NotRegistered) => {
            let extended = KernelRseq::read().registration_len();
            release(if len == extended { abi::ORIGINAL_SIZE } else { extended })
        }
        released => released,
    };
    released.map_or_else(|error| fail(error.errno()), |()| 0)
}

fn register(mode: Mode) -> Result<(), RegisterError> {
    // SAFETY: the C program guarantees, as it does with librseq, that it unregisters a thread before the thread ends,
    // and that the thread is not a child of `vfork`. No facts about the kernel are passed: the core reads them itself.
    let registration = unsafe { Registration::<OwnArea>::own(mode) }?;
    let (_, len) = registration.into_raw();
    LEN.store(len, Ordering::Relaxed);
    let active = KernelRseq::read().active_size().min(len);
    let _ = rseq_size.compare_exchange(0, active, Ordering::Relaxed, Ordering::Relaxed);
    Ok(())
}

fn release(len: u32) -> Result<(), ReleaseError> {
    // SAFETY: `into_raw` returned this area and, in one of the two modes, this length if this thread has registered,
    // and nothing else releases the registration. If it has not, or with another length, the kernel returns EINVAL and
    // changes nothing.
    unsafe { Registration::from_raw(arch::own_area(), len) }.release()
}
