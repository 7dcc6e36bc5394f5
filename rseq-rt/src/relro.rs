//! Data that is not written after start-up, according to the linker: made read-only, as a libc would.

use crate::headers::Headers;
use crate::sys;
use core::ptr::NonNull;
use linux_raw_sys::elf::PT_GNU_RELRO;
use linux_raw_sys::general::PROT_READ;

/// Protects the executable's RELRO region, in whole pages of `page` bytes. If the kernel refuses, it stays writable.
///
/// # Safety
///
/// The process has one thread, and the executable has been relocated.
pub unsafe fn protect(headers: Headers, page: usize) {
    let Some(header) = headers.find(PT_GNU_RELRO) else { return };
    let start = headers.bias().wrapping_add(header.p_vaddr);
    // Linkers put nothing else into the first page, but may do so in the last one.
    let (first, end) = (start & !(page - 1), (start + header.p_memsz) & !(page - 1));
    let Some(address) = NonNull::new(first as *mut u8) else { return };
    if first < end {
        // SAFETY: the linker put only data into these pages that is not written after relocation, which is done.
        let _ = unsafe { sys::protect(address, end - first, PROT_READ) };
    }
}
