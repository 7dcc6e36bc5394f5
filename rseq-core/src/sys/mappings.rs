//! Mappings of memory.

use super::{Errno, syscall};
use core::ffi::CStr;
use core::ptr::NonNull;
use linux_raw_sys::general as nr;
use linux_raw_sys::mempolicy::MPOL_BIND;
use linux_raw_sys::prctl::{PR_SET_VMA, PR_SET_VMA_ANON_NAME};

/// Offsets of `mmap2` count 4096-byte units; all of ours are 0.
#[cfg(target_pointer_width = "64")]
const NR_MMAP: u32 = nr::__NR_mmap;
#[cfg(target_pointer_width = "32")]
const NR_MMAP: u32 = nr::__NR_mmap2;

/// Words of a mask of NUMA nodes: more nodes than a kernel can be built for.
const NODE_WORDS: usize = 1024 / usize::BITS as usize;

/// The contents of a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Contents<'f> {
    /// Zeroes, private to this process.
    Private,
    /// Zeroes that this process and its children share.
    Shared,
    /// A file, from its start; writes stay private to this process.
    CopyOf(&'f MemoryFile),
    /// A file, from its start.
    File(&'f MemoryFile),
}

impl Contents<'_> {
    const fn flags(self) -> u32 {
        match self {
            Self::Private => nr::MAP_PRIVATE | nr::MAP_ANONYMOUS | nr::MAP_NORESERVE,
            Self::Shared => nr::MAP_SHARED | nr::MAP_ANONYMOUS | nr::MAP_NORESERVE,
            Self::CopyOf(_) => nr::MAP_PRIVATE | nr::MAP_NORESERVE,
            Self::File(_) => nr::MAP_SHARED,
        }
    }

    const fn descriptor(self) -> usize {
        match self {
            Self::Private | Self::Shared => usize::MAX,
            Self::CopyOf(file) | Self::File(file) => file.0,
        }
    }
}

/// `mmap()` at an address, or at one that the kernel chooses: readable and writable.
///
/// # Safety
///
/// Memory that was mapped at `address` belongs to the caller, and is no longer used.
unsafe fn mmap(address: usize, len: usize, contents: Contents<'_>) -> Result<NonNull<u8>, Errno> {
    let protection = nr::PROT_READ | nr::PROT_WRITE;
    let fixed = if address == 0 { 0 } else { nr::MAP_FIXED };
    let args = [address, len, protection as usize, (contents.flags() | fixed) as usize, contents.descriptor(), 0];
    // s390x alone has the arguments in memory.
    let args = if cfg!(target_arch = "s390x") { [args.as_ptr() as usize, 0, 0, 0, 0, 0] } else { args };
    // SAFETY: a new mapping at an address that the kernel chooses touches no existing memory, and one at a fixed
    // address replaces memory that by the caller's contract is no longer used.
    let address = unsafe { syscall(NR_MMAP, args) }?;
    NonNull::new(core::ptr::with_exposed_provenance_mut(address)).ok_or(Errno::ENOMEM)
}

/// `mmap()` - fresh, zeroed, private memory: `len` bytes, page-aligned, readable and writable. No memory backs a page
/// before it is touched.
pub(crate) fn map(len: usize) -> Result<NonNull<u8>, Errno> {
    // SAFETY: no address is given, so there is no previous memory.
    unsafe { mmap(0, len, Contents::Private) }
}

/// The next multiple of `align`, a power of two.
pub(crate) const fn align_up(address: usize, align: usize) -> usize {
    address.wrapping_add(align.wrapping_sub(1)) & !align.wrapping_sub(1)
}

/// [`map`], aligned to `align`, a power of two, with `lead` more bytes before that address: whole pages. Where `align`
/// is less than a page, the address is aligned to a page.
pub(crate) fn map_aligned(lead: usize, len: usize, align: usize) -> Result<NonNull<u8>, Errno> {
    let size = lead.checked_add(len).ok_or(Errno::ENOMEM)?;
    let whole = map(size.checked_add(align).ok_or(Errno::ENOMEM)?)?;
    let first = whole.addr().get() + lead;
    let before = align_up(first, align) - first;
    // SAFETY: the parts before and after the `size` bytes lie in the mapping made above, to which nothing else has
    // access. Where `align` is less than a page, there is nothing before, and the kernel refuses a start that is not
    // page-aligned.
    unsafe {
        let _ = unmap(whole, before);
        let _ = unmap(whole.byte_add(before + size), align - before);
        Ok(whole.byte_add(before + lead))
    }
}

/// `mmap(MAP_FIXED)` - replaces the contents of a part of a mapping.
///
/// # Errors
///
/// The kernel's: EINVAL if `start` is not page-aligned.
///
/// # Safety
///
/// `len` bytes from `start` on are mapped, and their contents are no longer used.
pub(crate) unsafe fn remap(start: NonNull<u8>, len: usize, contents: Contents<'_>) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    unsafe { mmap(start.as_ptr().expose_provenance(), len, contents) }.map(|_| ())
}

/// `munmap()`
///
/// # Safety
///
/// `len` bytes from `start` on were mapped, and are no longer used.
pub(crate) unsafe fn unmap(start: NonNull<u8>, len: usize) -> Result<(), Errno> {
    // SAFETY: by the caller's contract the memory is no longer used.
    unsafe { syscall(nr::__NR_munmap, [start.as_ptr().expose_provenance(), len, 0, 0, 0, 0]) }.map(|_| ())
}

/// `madvise(MADV_NOHUGEPAGE)` - backs it by pages of the smallest size only (since Linux 2.6.38). Kernels without huge
/// pages refuse it, and do not need it.
pub(crate) fn without_huge_pages(start: NonNull<u8>, len: usize) {
    let _ = madvise(start, len, nr::MADV_NOHUGEPAGE);
}

/// `madvise(MADV_WIPEONFORK)` - a child of `fork` finds zeroes there (since Linux 4.14).
pub(crate) fn wipe_on_fork(start: NonNull<u8>, len: usize) -> Result<(), Errno> {
    madvise(start, len, nr::MADV_WIPEONFORK)
}

/// `madvise(MADV_DONTFORK)` - a child of `fork` finds nothing mapped there (since Linux 2.6.16).
pub(crate) fn keep_from_children(start: NonNull<u8>, len: usize) -> Result<(), Errno> {
    madvise(start, len, nr::MADV_DONTFORK)
}

/// For advice that does not change the contents of the memory in this process.
fn madvise(start: NonNull<u8>, len: usize, advice: u32) -> Result<(), Errno> {
    let args = [start.as_ptr().expose_provenance(), len, advice as usize, 0, 0, 0];
    // SAFETY: no such advice changes the memory of this process.
    unsafe { syscall(nr::__NR_madvise, args) }.map(|_| ())
}

/// `prctl(PR_SET_VMA_ANON_NAME)` - the name of an anonymous mapping in `/proc/PID/maps` (since Linux 5.17, with
/// `CONFIG_ANON_VMA_NAME`).
pub(crate) fn name(start: NonNull<u8>, len: usize, name: &CStr) {
    let address = start.as_ptr().expose_provenance();
    let args = [PR_SET_VMA as usize, PR_SET_VMA_ANON_NAME as usize, address, len, name.as_ptr() as usize, 0];
    // SAFETY: the kernel reads the name, a string that ends in 0, and changes no memory.
    let _ = unsafe { syscall(nr::__NR_prctl, args) };
}

/// `mbind(MPOL_BIND)` - pages of it that are touched from now on come from `node` only.
///
/// # Errors
///
/// The kernel's: EINVAL if `start` is not page-aligned, or if the process may not use the node; ENOSYS without
/// `CONFIG_NUMA`.
pub(crate) fn bind(start: NonNull<u8>, len: usize, node: u32) -> Result<(), Errno> {
    let mut mask = [0usize; NODE_WORDS];
    let word = mask.get_mut((node / usize::BITS) as usize).ok_or(Errno::EINVAL)?;
    *word = 1 << (node % usize::BITS);
    let bits = size_of_val(&mask) * 8 + 1;
    let args = [start.as_ptr().expose_provenance(), len, MPOL_BIND as usize, mask.as_ptr() as usize, bits, 0];
    // SAFETY: the kernel reads the mask, one bit less than `bits`; without flags no page moves.
    unsafe { syscall(nr::__NR_mbind, args) }.map(|_| ())
}

/// `move_pages()` - moves the pages at `pages` to `nodes` (since Linux 2.6.18). `states` becomes each page's node, or
/// less than 0 if it was not moved.
///
/// # Errors
///
/// The kernel's: EINVAL for unknown flags, EPERM for `MPOL_MF_MOVE_ALL` without privilege, ENODEV for a node that does
/// not exist, ENOSYS without `CONFIG_MIGRATION`.
pub(crate) fn move_pages(pages: &[usize], nodes: &[i32], states: &mut [i32], flags: u32) -> Result<(), Errno> {
    let count = pages.len().min(nodes.len()).min(states.len());
    let (pages, nodes, states) = (pages.as_ptr() as usize, nodes.as_ptr() as usize, states.as_mut_ptr() as usize);
    // SAFETY: the kernel reads and writes `count` elements of each slice; moving a page does not change its contents.
    unsafe { syscall(nr::__NR_move_pages, [0, count, pages, nodes, states, flags as usize]) }.map(|_| ())
}

/// Bytes of this machine's smallest pages; 4096 if the kernel does not provide the size.
pub fn page_size() -> usize {
    const AT_PAGESZ: usize = linux_raw_sys::auxvec::AT_PAGESZ as usize;
    let [size, _] = crate::auxv::entries([AT_PAGESZ; 2]);
    size.filter(|size| size.is_power_of_two()).unwrap_or(4096)
}

/// `mincore()` - whether all of it is mapped; `len` is at most 1 MiB.
#[cfg(test)]
pub(crate) fn is_mapped(start: NonNull<u8>, len: usize) -> bool {
    let mut pages = [0u8; 256];
    let args = [start.as_ptr().expose_provenance(), len, pages.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: writes a byte a page, 256 at most.
    unsafe { syscall(nr::__NR_mincore, args) }.is_ok()
}

/// A file without a name, in memory.
#[derive(Debug)]
pub(crate) struct MemoryFile(usize);

impl MemoryFile {
    /// `memfd_create()` and `ftruncate()` (since Linux 3.17).
    pub(crate) fn new(name: &CStr, len: usize) -> Result<Self, Errno> {
        // SAFETY: reads the name, a string that ends in 0, and opens a new descriptor.
        let file =
            unsafe { syscall(nr::__NR_memfd_create, [name.as_ptr() as usize, nr::MFD_CLOEXEC as usize, 0, 0, 0, 0]) };
        let file = Self(file?);
        // SAFETY: sets the length of the file made above.
        unsafe { syscall(nr::__NR_ftruncate, [file.0, len, 0, 0, 0, 0]) }?;
        Ok(file)
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        // SAFETY: closes the descriptor of this file, which only this value has. Mappings keep the file.
        let _ = unsafe { syscall(nr::__NR_close, [self.0, 0, 0, 0, 0, 0]) };
    }
}
