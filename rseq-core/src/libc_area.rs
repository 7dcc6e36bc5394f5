//! The area that a libc or a runtime registered, found by the symbols that glibc 2.35 introduced.

use crate::KernelRseq;
use crate::abi::{self, Rseq};
use crate::arch::{self, weak_address};
use core::fmt;
use core::ptr::NonNull;

/// Who registered this thread's area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner {
    /// The libc, which defines `__rseq_offset`.
    Libc,
    /// A runtime that defines `__rseq_offset`, and `__rseq_core_runtime` to say that it is one.
    Runtime,
    /// This program, by [`Registration::own`](crate::Registration::own), [`Registration::at`](crate::Registration::at) or
    /// [`ensure_registered`](crate::ensure_registered).
    Own,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Libc => "the libc",
            Self::Runtime => "the runtime",
            Self::Own => "this program",
        })
    }
}

/// The three symbols, as this process defines them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbols {
    offset: isize,
    size: u32,
    pub(crate) owner: Owner,
}

impl Symbols {
    /// The symbols, or None where nobody defines them.
    #[inline(never)]
    pub(crate) fn find() -> Option<Self> {
        let offset = weak_address!("__rseq_offset") as *const isize;
        let size = weak_address!("__rseq_size") as *const u32;
        let runtime = weak_address!("__rseq_core_runtime");
        if offset.is_null() || size.is_null() {
            return None;
        }
        // SAFETY: whoever defines these symbols defines them as glibc does: a ptrdiff_t and an unsigned int, constant once
        // the process has started.
        let (offset, size) = unsafe { (offset.read(), size.read()) };
        Some(Self { offset, size, owner: if runtime == 0 { Owner::Libc } else { Owner::Runtime } })
    }

    /// Whether areas are registered in this process: a size of 0 says that they are not.
    pub(crate) fn registers(self) -> bool {
        self.size != 0
    }

    /// Where this thread's area is. Only with [`registers`](Self::registers) is there memory behind it for certain.
    pub(crate) fn area(self) -> NonNull<Rseq> {
        let address = arch::thread_pointer().wrapping_add_signed(self.offset);
        // The thread pointer plus a distance within the thread's static TLS is never 0.
        NonNull::new(address as *mut Rseq).unwrap_or(NonNull::dangling())
    }

    /// Bytes of the area that the kernel maintains. glibc said 32 until 2.39 and 20 in 2.40 whatever the kernel had: both
    /// mean what the kernel maintains of the first 32.
    pub(crate) fn active_size(self, kernel: KernelRseq) -> u32 {
        match self.size {
            abi::ORIGINAL_ACTIVE_SIZE | abi::ORIGINAL_SIZE => kernel.active_size().min(abi::ORIGINAL_SIZE),
            size => size.min(kernel.active_size()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(size: u32, kernel: Option<usize>) -> u32 {
        // SAFETY: nothing is registered with these facts.
        let kernel = unsafe { KernelRseq::from_auxv(kernel, None) };
        Symbols { offset: 0, size, owner: Owner::Libc }.active_size(kernel)
    }

    #[test]
    fn historical_sizes_mean_what_the_kernel_has_of_32_bytes() {
        for size in [20, 32] {
            assert_eq!(active(size, None), 20);
            assert_eq!(active(size, Some(28)), 28);
            assert_eq!(active(size, Some(33)), 32);
        }
    }

    #[test]
    fn newer_sizes_are_the_feature_size() {
        assert_eq!(active(28, Some(28)), 28);
        assert_eq!(active(33, Some(33)), 33);
        assert_eq!(active(33, Some(28)), 28);
    }
}
