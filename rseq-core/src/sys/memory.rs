//! Anonymous memory.

use super::{Errno, syscall};
use core::ptr::NonNull;
use linux_raw_sys::general as nr;

/// Offsets of `mmap2` count 4096-byte units; all of ours are 0.
#[cfg(target_pointer_width = "64")]
const NR_MMAP: u32 = nr::__NR_mmap;
#[cfg(target_pointer_width = "32")]
const NR_MMAP: u32 = nr::__NR_mmap2;

/// `mmap()` - fresh, zeroed, private memory: `len` bytes, page-aligned, readable and writable, which no memory backs
/// before it is touched.
pub(crate) fn map(len: usize) -> Result<NonNull<u8>, Errno> {
    let protection = nr::PROT_READ | nr::PROT_WRITE;
    let flags = nr::MAP_PRIVATE | nr::MAP_ANONYMOUS | nr::MAP_NORESERVE;
    let args = [0, len, protection as usize, flags as usize, usize::MAX, 0];
    // s390x alone has the arguments in memory.
    let args = if cfg!(target_arch = "s390x") { [args.as_ptr() as usize, 0, 0, 0, 0, 0] } else { args };
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no existing memory.
    let address = unsafe { syscall(NR_MMAP, args) }?;
    NonNull::new(address as *mut u8).ok_or(Errno::ENOMEM)
}
