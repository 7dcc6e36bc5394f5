//! Targets without rseq: no Linux, or an architecture without a file here. Portable crates build there; every
//! registration is refused with [`NoSyscall`](crate::RegisterError::NoSyscall), so no token exists to run a section
//! with.

use crate::abi::{self, Rseq};

/// Not the signature of any registration.
pub const SIGNATURE: u32 = 0;

/// An area that is never registered, the same for all threads.
static UNREGISTERED: Unregistered =
    Unregistered([0, abi::CPU_ID_UNINITIALIZED, 0, 0, 0, 0, abi::CPU_ID_UNINITIALIZED, 0]);

#[repr(align(64))]
struct Unregistered([u32; 8]);

#[inline]
pub(super) fn thread_pointer() -> usize {
    0
}

/// Only read, because it is never registered.
#[inline]
pub(super) fn own_area() -> *mut Rseq {
    (&raw const UNREGISTERED.0).cast_mut().cast()
}

/// Makes no call, because there is none.
#[inline]
pub(super) unsafe fn syscall(_nr: u32, _args: [usize; 6]) -> isize {
    -(linux_raw_sys::errno::ENOSYS as isize)
}

/// Nothing defines the symbol.
macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        $address = 0
    };
}
pub(crate) use load_weak;

/// Stands for a section, whatever `critical_section!` passes.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ($area:tt $order:ident, $index:ty, $arming:tt, $abort:ident,
     $steps:tt $scratch:tt [$($input:ident)*] $($rest:tt)*) => {{
        let _ = (RSEQ_EXITS, $($input,)*);
        $crate::arch::no_section()
    }};
}

/// The call that stands for a section.
///
/// # Safety
///
/// There is a token, which cannot exist.
#[doc(hidden)]
pub unsafe fn no_section() {
    unreachable!("no thread is registered where there is no rseq")
}
