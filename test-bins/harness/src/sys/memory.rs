//! Memory mappings.

use linux_raw_sys::auxvec::AT_PAGESZ;
use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;

use super::call;

/// An address that no kernel lets a process have.
pub const KERNEL_ADDRESS: usize = usize::MAX - 4095;

/// Pages, readable and writable, unmapped when dropped. Anonymous ones are zero at first.
pub struct Mapping {
    start: usize,
    length: usize,
}

impl Mapping {
    /// `length` bytes of this process, copied at fork.
    pub fn private(length: usize) -> Result<Self, Errno> {
        Self::new(length, raw::MAP_PRIVATE)
    }

    /// `length` bytes that children share.
    pub fn shared(length: usize) -> Result<Self, Errno> {
        Self::new(length, raw::MAP_SHARED)
    }

    fn new(length: usize, sharing: u32) -> Result<Self, Errno> {
        let protection = raw::PROT_READ | raw::PROT_WRITE;
        map([0, length, protection as usize, (sharing | raw::MAP_ANONYMOUS) as usize, usize::MAX, 0])
            .map(|start| Self { start, length })
    }

    /// The first `length` bytes of an open file, shared with its other users.
    pub fn of_file(descriptor: i32, length: usize) -> Result<Self, Errno> {
        let protection = raw::PROT_READ | raw::PROT_WRITE;
        map([0, length, protection as usize, raw::MAP_SHARED as usize, descriptor as usize, 0])
            .map(|start| Self { start, length })
    }

    /// The address of the first byte.
    pub fn address(&self) -> usize {
        self.start
    }

    /// The mapping's length in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Never true: the kernel refuses a mapping of no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// A pointer to the `index`th `T`; `None` beyond the end.
    pub fn slot<T>(&self, index: usize) -> Option<*mut T> {
        let end = index.checked_add(1)?.checked_mul(size_of::<T>())?;
        (end <= self.length).then_some((self.start as *mut T).wrapping_add(index))
    }

    /// Removes all permissions from the pages: each access faults from now on.
    pub fn forbid(&self) -> Result<(), Errno> {
        // SAFETY: the pages are this mapping's. No reference leads there: slots are raw pointers, whose users answer
        // for each access.
        unsafe { call(raw::__NR_mprotect, [self.start, self.length, raw::PROT_NONE as usize]) }.map(|_| ())
    }
}

/// Gives the pages from `start` to `end` this protection (`PROT_READ` and so on); pages are taken whole.
///
/// # Errors
///
/// The kernel's; EINVAL where AT_PAGESZ is missing.
///
/// # Safety
///
/// Nothing relies on the previous protection of the pages.
pub unsafe fn protect(start: usize, end: usize, protection: u32) -> Result<(), Errno> {
    let page = rseq_rt::env::auxv(AT_PAGESZ as usize).ok_or(Errno::EINVAL)?;
    let first = start / page * page;
    // SAFETY: the caller answers for the change; nothing is mapped or unmapped.
    unsafe { call(raw::__NR_mprotect, [first, end.next_multiple_of(page) - first, protection as usize]) }.map(|_| ())
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this mapping's own. Pointers into it must not outlive it.
        let _ = unsafe { call(raw::__NR_munmap, [self.start, self.length]) };
    }
}

#[cfg(all(target_pointer_width = "64", not(target_arch = "s390x")))]
fn map(args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory in use.
    unsafe { call(raw::__NR_mmap, args) }
}

/// 32-bit architectures count the offset in pages; it is 0 here.
#[cfg(target_pointer_width = "32")]
fn map(args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory in use.
    unsafe { call(raw::__NR_mmap2, args) }
}

/// s390x passes the arguments in memory.
#[cfg(target_arch = "s390x")]
fn map(args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the kernel reads six words at `args`; a new mapping touches no memory in use.
    unsafe { call(raw::__NR_mmap, [args.as_ptr() as usize]) }
}
