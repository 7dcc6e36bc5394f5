//! Where this thread's `struct rseq` is: in the core's static TLS, or where a libc or a runtime has it.

use crate::abi::{self, Rseq};
use crate::index::Index;
use crate::{KernelRseq, arch, facts};
use core::mem::{offset_of, size_of};
use core::ptr::NonNull;

// The own area: cpu_id_start 0, cpu_id -1, mm_cid -1, the rest 0. All versions of this crate in one program share it:
// its name, size and initial state are an interface between them. Link-time optimisation may put the text of two
// versions into one unit, hence `.ifndef`.
#[cfg(not(rseq_stub))]
core::arch::global_asm!(
    ".ifndef __rseq_core_area",
    ".pushsection .tdata.__rseq_core_area, \"awTG\", %progbits, __rseq_core_area, comdat",
    ".balign 64",
    ".weak __rseq_core_area",
    ".hidden __rseq_core_area",
    ".type __rseq_core_area, %object",
    ".size __rseq_core_area, 64",
    "__rseq_core_area:",
    ".long 0, -1, 0, 0, 0, 0, -1, 0",
    ".zero 32",
    ".popsection",
    ".endif",
);

/// Bytes of the own area.
pub(crate) const OWN_SIZE: usize = size_of::<Rseq>();

/// The kind of place where this thread's area is.
pub trait Area: sealed::Sealed + Copy {
    /// Whether it is the core's static thread-local, which some architectures address directly.
    const DIRECT: bool;

    /// Whether its [`offset`](Self::offset) is cheaper than its address.
    #[doc(hidden)]
    const BY_OFFSET: bool = false;

    /// Its distance from the thread pointer in bytes.
    #[doc(hidden)]
    #[inline]
    fn offset(self) -> isize {
        self.pointer().addr().get().wrapping_sub(arch::thread_pointer()) as isize
    }

    /// The area of the calling thread.
    fn pointer(self) -> NonNull<Rseq>;

    /// Bytes of it that the kernel maintains; 0 if no thread was registered yet. For own areas it counts the first 32
    /// bytes only, which registrations of either [`Mode`](crate::Mode) have.
    fn active_size(self) -> u32;

    /// The index field, read as a value that the kernel may change at any instruction.
    #[doc(hidden)]
    #[inline]
    fn index<I: Index>(self) -> u32 {
        read(self, I::OFFSET)
    }

    /// The u32 at `offset`, read as a value that the kernel may change at any instruction.
    ///
    /// # Safety
    ///
    /// `offset` is the offset of a u32 field in the first 32 bytes.
    #[doc(hidden)]
    #[inline]
    unsafe fn field(self, offset: usize) -> u32 {
        // SAFETY: every area is at least 32 bytes of this thread's memory as long as the thread runs, aligned to 4, and
        // by the caller's contract `offset` is that of a u32 within them. Volatile, because the kernel writes it.
        unsafe { self.pointer().as_ptr().cast::<u32>().byte_add(offset).read_volatile() }
    }
}

/// The core's own area, a static thread-local, in programs whose libc or runtime sets up ELF TLS.
///
/// Its address is found by initial-exec TLS, also in shared objects. On x86, one instruction addresses it by local-exec
/// TLS in sections and in reads of the index ([`slot`](crate::Token::slot), [`cpu_id`](crate::Token::cpu_id)), so these
/// link in executables only, not in shared objects.
#[derive(Clone, Copy, Debug)]
pub struct OwnArea;

impl OwnArea {
    /// Distance from the thread pointer in bytes, the same in every thread: the value for `__rseq_offset`.
    #[inline]
    pub fn offset(self) -> isize {
        arch::own_offset()
    }

    /// Keeps the active size that the first successful registration found. It is the same in each thread and each
    /// [`Mode`](crate::Mode), because the kernel maintains the same fields of the first 32 bytes in all of them.
    pub(crate) fn found_active_size(self, kernel: KernelRseq) {
        facts::OWN_ACTIVE_SIZE.set_first(kernel.active_size().min(abi::ORIGINAL_SIZE));
    }
}

impl Area for OwnArea {
    const DIRECT: bool = true;

    #[inline]
    fn pointer(self) -> NonNull<Rseq> {
        arch::own_area()
    }

    #[inline]
    fn active_size(self) -> u32 {
        facts::OWN_ACTIVE_SIZE.get()
    }

    #[inline]
    fn index<I: Index>(self) -> u32 {
        arch::own_index::<I>()
    }
}

/// An area at a pointer: adopted from the libc or the runtime of this process, or given by the caller.
#[derive(Clone, Copy, Debug)]
pub struct ThreadArea {
    pointer: NonNull<Rseq>,
    active_size: u32,
}

impl ThreadArea {
    pub(crate) fn new(pointer: NonNull<Rseq>, active_size: u32) -> Self {
        Self { pointer, active_size }
    }
}

impl Area for ThreadArea {
    const DIRECT: bool = false;

    #[inline]
    fn pointer(self) -> NonNull<Rseq> {
        self.pointer
    }

    #[inline]
    fn active_size(self) -> u32 {
        self.active_size
    }
}

/// A field of an area, read as a value that the kernel may change at any instruction.
#[inline]
pub(crate) fn read(area: impl Area, offset: usize) -> u32 {
    debug_assert!(offset <= offset_of!(Rseq, slice_ctrl));
    // SAFETY: `offset` is that of a u32 field in the first 32 bytes.
    unsafe { area.field(offset) }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::OwnArea {}
    impl Sealed for super::ThreadArea {}
    impl Sealed for crate::Ambient {}
}
