//! Where rseq cannot be had: no Linux, or an architecture without a file here. Portable crates build there, every
//! registration is refused with [`NoSyscall`](crate::RegisterError::NoSyscall), and so no token exists to run a section
//! with.

use crate::abi::{self, Rseq};

/// Of no registration.
pub const SIGNATURE: u32 = 0;

/// An area that nobody registers, the same for all threads.
static UNREGISTERED: Unregistered =
    Unregistered([0, abi::CPU_ID_UNINITIALIZED, 0, 0, 0, 0, abi::CPU_ID_UNINITIALIZED, 0]);

#[repr(align(64))]
struct Unregistered([u32; 8]);

#[inline]
pub(super) fn thread_pointer() -> usize {
    0
}

/// Only ever read, as it never becomes registered.
#[inline]
pub(super) fn own_area() -> *mut Rseq {
    (&raw const UNREGISTERED.0).cast_mut().cast()
}

/// Makes no call: none is there.
#[inline]
pub(super) unsafe fn syscall(_nr: u32, _args: [usize; 6]) -> isize {
    -(linux_raw_sys::errno::ENOSYS as isize)
}

/// Nobody defines the symbol.
macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        $address = 0
    };
}
pub(crate) use load_weak;

/// The one place of sections here: it takes whatever `critical_section!` hands on.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ($area:tt $order:ident, $index:ty, $arming:tt, $abort:ident,
     $steps:tt $scratch:tt [$($input:ident)*] $($rest:tt)*) => {{
        let _ = (RSEQ_EXITS, $($input,)*);
        $crate::arch::no_section()
    }};
}

/// What a section is here.
///
/// # Safety
///
/// There is a token, which there cannot be.
#[doc(hidden)]
pub unsafe fn no_section() {
    unreachable!("no thread is registered where there is no rseq")
}
