//! Registering a thread for a C program.

use core::ffi::c_int;
use core::ptr::NonNull;
use rseq_core::abi::Rseq;
use rseq_core::{KernelRseq, Mode, OwnArea, Registration, arch};

/// Registers this thread's own area. Returns 0 or the error as rseq(2) has it.
#[unsafe(no_mangle)]
pub extern "C" fn worlds_register() -> c_int {
    // SAFETY: the C programs of this package release each thread before it ends, and register no child of vfork. The
    // kernel's facts are those that the core itself has read.
    match unsafe { Registration::<OwnArea>::own(Mode::Extended) } {
        Ok(registration) => {
            let _ = registration.into_raw();
            0
        }
        Err(error) => error.errno().0,
    }
}

/// Releases what [`worlds_register`] registered in this thread. Returns 0 or the error as rseq(2) has it.
#[unsafe(no_mangle)]
pub extern "C" fn worlds_release() -> c_int {
    let len = KernelRseq::read().registration_len();
    // SAFETY: `worlds_register` gave up a registration of this area with the bytes that the kernel knows. If it made
    // none, the kernel finds none, and changes nothing.
    let registration = unsafe { Registration::from_raw(arch::own_area(), len) };
    registration.release().map_or_else(|error| error.errno().0, |()| 0)
}

/// The registration that C made, by rseq(2), with `len` bytes at `area`.
///
/// # Safety
///
/// As [`Registration::adopt_at`].
pub(crate) unsafe fn of_c(area: *mut Rseq, len: u32) -> Result<Registration<rseq_core::ThreadArea>, c_int> {
    let area = NonNull::new(area).ok_or(rseq_core::sys::Errno::EFAULT.0)?;
    // SAFETY: the caller's contract.
    unsafe { Registration::adopt_at(area, len) }.map_err(|error| error.errno().0)
}
