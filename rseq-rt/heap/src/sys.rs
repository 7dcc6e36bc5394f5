//! The system calls of the heap, typed.

use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;
use linux_raw_sys::general as nr;
use rseq_core::sys::{Errno, syscall};

/// Offsets of `mmap2` count 4096-byte units; all of ours are 0.
#[cfg(target_pointer_width = "64")]
const NR_MMAP: u32 = nr::__NR_mmap;
#[cfg(target_pointer_width = "32")]
const NR_MMAP: u32 = nr::__NR_mmap2;

#[cfg(not(target_arch = "riscv32"))]
const NR_FUTEX: u32 = nr::__NR_futex;
#[cfg(target_arch = "riscv32")]
const NR_FUTEX: u32 = nr::__NR_futex_time64;

/// Fresh, zeroed, private memory: `len` bytes, page-aligned, readable and writable.
pub fn map(len: usize) -> Result<NonNull<u8>, Errno> {
    let protection = nr::PROT_READ | nr::PROT_WRITE;
    let flags = nr::MAP_PRIVATE | nr::MAP_ANONYMOUS;
    let args = [0, len, protection as usize, flags as usize, usize::MAX, 0];
    // s390x alone has the arguments in memory.
    let args = if cfg!(target_arch = "s390x") { [args.as_ptr() as usize, 0, 0, 0, 0, 0] } else { args };
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no existing memory.
    let address = unsafe { syscall(NR_MMAP, args) }?;
    NonNull::new(core::ptr::with_exposed_provenance_mut(address)).ok_or(Errno::ENOMEM)
}

/// Unmaps memory.
///
/// # Safety
///
/// The pages belong to the caller, and are no longer used.
pub unsafe fn unmap(address: NonNull<u8>, len: usize) {
    // SAFETY: the caller's contract. The call fails only for ranges that are not mappings.
    let _ = unsafe { syscall(nr::__NR_munmap, [address.as_ptr() as usize, len, 0, 0, 0, 0]) };
}

/// Changes the length of a mapping, and perhaps its address.
///
/// # Errors
///
/// Those of `mremap(2)`; the mapping is unchanged.
///
/// # Safety
///
/// The `old` bytes are one mapping of the caller's, who uses only the result from here on.
pub unsafe fn remap(address: NonNull<u8>, old: usize, new: usize) -> Result<NonNull<u8>, Errno> {
    let args = [address.as_ptr() as usize, old, new, nr::MREMAP_MAYMOVE as usize, 0, 0];
    // SAFETY: the caller's contract.
    let address = unsafe { syscall(nr::__NR_mremap, args) }?;
    NonNull::new(core::ptr::with_exposed_provenance_mut(address)).ok_or(Errno::ENOMEM)
}

/// Makes child processes find the pages zeroed (Linux 4.14).
///
/// # Safety
///
/// The pages belong to the caller, and zeroes are valid for their contents.
pub unsafe fn wipe_on_fork(address: NonNull<u8>, len: usize) -> Result<(), Errno> {
    let args = [address.as_ptr() as usize, len, nr::MADV_WIPEONFORK as usize, 0, 0, 0];
    // SAFETY: the caller's contract: a child finds zeroes, which are valid.
    unsafe { syscall(nr::__NR_madvise, args) }.map(drop)
}

/// Sleeps while `word` is `expected`; may return early.
pub fn futex_wait(word: &AtomicU32, expected: u32) {
    let operation = (nr::FUTEX_WAIT | nr::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: the kernel reads one live word, without a timeout. After an error the caller checks again.
    let _ = unsafe { syscall(NR_FUTEX, [word.as_ptr() as usize, operation, expected as usize, 0, 0, 0]) };
}

/// Wakes one thread that waits for `word`.
pub fn futex_wake_one(word: &AtomicU32) {
    let operation = (nr::FUTEX_WAKE | nr::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: a private wake uses the address as a key and reads no memory.
    let _ = unsafe { syscall(NR_FUTEX, [word.as_ptr() as usize, operation, 1, 0, 0, 0]) };
}
