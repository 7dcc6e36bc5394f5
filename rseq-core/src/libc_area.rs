//! The area that a libc or a runtime registered, found by the symbols that glibc 2.35 introduced.

use crate::KernelRseq;
use crate::abi::{self, Rseq};
use crate::arch::{self, weak_address};
use crate::area::ThreadArea;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Who registered this thread's area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner {
    /// The libc, which defines `__rseq_offset`.
    Libc,
    /// A runtime that defines `__rseq_offset`, and `__rseq_core_runtime` to say that it is one.
    Runtime,
    /// This program, by [`Registration::own`](crate::Registration::own), [`Registration::at`](crate::Registration::at)
    /// or [`ensure_registered`](crate::ensure_registered).
    Own,
}

impl Owner {
    /// The libc or the runtime of this process that can register threads: it defines `__rseq_offset` and `__rseq_size`,
    /// as glibc does since 2.35. None if there is neither, as under musl.
    ///
    /// It may be switched off, as by `glibc.pthread.rseq=0`, or the kernel may have no rseq: then
    /// [`Registration::adopt`](crate::Registration::adopt) finds nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::{Owner, Registration};
    ///
    /// assert!(Owner::of_symbols().is_some() || Registration::adopt().is_err());
    /// ```
    pub fn of_symbols() -> Option<Self> {
        Symbols::find().map(|symbols| symbols.owner)
    }
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
    /// The symbols; None if this process does not define them.
    #[inline(never)]
    pub(crate) fn find() -> Option<Self> {
        let offset = weak_address!("__rseq_offset") as *const isize;
        let size = weak_address!("__rseq_size") as *const u32;
        let runtime = weak_address!("__rseq_core_runtime");
        if offset.is_null() || size.is_null() {
            return None;
        }
        // SAFETY: all that define these symbols define them as glibc does: a ptrdiff_t and an unsigned int, which are
        // constant once the process has started.
        let (offset, size) = unsafe { (offset.read(), size.read()) };
        Some(Self { offset, size, owner: if runtime == 0 { Owner::Libc } else { Owner::Runtime } })
    }

    /// Whether areas are registered in this process: a size of 0 means that they are not.
    pub(crate) fn registers(self) -> bool {
        self.size != 0
    }

    /// The address of this thread's area. It is certain to be memory only if [`registers`](Self::registers).
    pub(crate) fn area(self) -> NonNull<Rseq> {
        let address = arch::thread_pointer().wrapping_add_signed(self.offset);
        // The thread pointer plus a distance within the thread's static TLS is never 0.
        NonNull::new(address as *mut Rseq).unwrap_or(NonNull::dangling())
    }

    /// Bytes of the area that the kernel maintains. glibc up to 2.39 has 32 here, and 2.40 has 20, whatever the kernel:
    /// both mean what the kernel maintains of the first 32.
    pub(crate) fn active_size(self, kernel: KernelRseq) -> u32 {
        match self.size {
            abi::ORIGINAL_ACTIVE_SIZE | abi::ORIGINAL_SIZE => kernel.active_size().min(abi::ORIGINAL_SIZE),
            size => size.min(kernel.active_size()),
        }
    }
}

/// What all threads of a process share whose libc or runtime registers: the offset of areas, and how many bytes of them
/// the kernel maintains. One word, so that it is one load: the size in the low 8 bits, the offset in the others. 0 if
/// it is not known.
static KNOWN: AtomicUsize = AtomicUsize::new(0);

const SIZE_BITS: u32 = 8;

/// An area that belongs to no thread and is marked as unregistered, for processes without a registering libc: finding
/// an area then needs no branch.
static NOWHERE: [AtomicU32; size_of::<Rseq>() / size_of::<u32>()] =
    [const { AtomicU32::new(abi::CPU_ID_UNINITIALIZED) }; size_of::<Rseq>() / size_of::<u32>()];

/// This thread's area of the libc or the runtime. It may not be registered.
#[inline]
pub(crate) fn of_this_thread() -> ThreadArea {
    match KNOWN.load(Ordering::Relaxed) {
        0 => find_out(),
        packed => {
            let (offset, size) = unpack(packed);
            let area = arch::thread_pointer().wrapping_add_signed(offset) as *mut Rseq;
            // SAFETY: `area` is in this thread's static TLS, where the libc or the runtime has its area, so it is not
            // null.
            ThreadArea::new(unsafe { NonNull::new_unchecked(area) }, size)
        }
    }
}

/// Reads the symbols, which do not change once they show that areas are registered, and keeps the result.
#[cold]
#[inline(never)]
fn find_out() -> ThreadArea {
    let Some(symbols) = Symbols::find().filter(|symbols| symbols.registers()) else {
        return ThreadArea::new(NonNull::from(&NOWHERE).cast(), 0);
    };
    let size = symbols.active_size(KernelRseq::read());
    KNOWN.store(pack(symbols.offset, size), Ordering::Relaxed);
    ThreadArea::new(symbols.area(), size)
}

/// Packs both into one word; 0 if they do not fit.
fn pack(offset: isize, size: u32) -> usize {
    let packed = (offset << SIZE_BITS) as usize | size as usize;
    if size != 0 && unpack(packed) == (offset, size) { packed } else { 0 }
}

#[inline]
fn unpack(packed: usize) -> (isize, u32) {
    (packed as isize >> SIZE_BITS, packed as u32 & ((1 << SIZE_BITS) - 1))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::area::Area;

    #[test]
    fn what_is_known_of_areas_is_one_word() {
        for (offset, size) in [(0, 20), (-160, 32), (0x9c0, 33), (-1, 255), (isize::MAX >> SIZE_BITS, 28)] {
            assert_eq!(unpack(pack(offset, size)), (offset, size));
        }
        for (offset, size) in [(-160, 0), (-160, 256), (isize::MIN, 32), ((isize::MAX >> SIZE_BITS) + 1, 32)] {
            assert_eq!(pack(offset, size), 0, "{offset} and {size} do not fit");
        }
    }

    #[test]
    fn what_is_known_is_what_the_symbols_say() {
        let same = || {
            let symbols = Symbols::find().filter(|symbols| symbols.registers());
            let said = symbols.map(|symbols| (symbols.area(), symbols.active_size(KernelRseq::read())));
            let found = of_this_thread();
            (found.pointer(), found.active_size()) == said.unwrap_or((NonNull::from(&NOWHERE).cast(), 0))
        };
        assert!(same());
        assert!(same(), "the second time it is kept");
        assert!(std::thread::spawn(same).join().unwrap(), "each thread has its own area");
    }

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
