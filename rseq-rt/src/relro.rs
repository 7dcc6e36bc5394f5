//! What the linker says is never written once the program runs: made read-only, as a libc would.

use crate::headers::Headers;
use crate::sys;
use core::ptr::NonNull;
use linux_raw_sys::elf::PT_GNU_RELRO;
use linux_raw_sys::general::PROT_READ;

/// Protects the executable's RELRO region, in whole pages of `page` bytes. Where the kernel refuses, it stays writable.
///
/// # Safety
///
/// The process has one thread, and the executable is at its place.
pub unsafe fn protect(headers: Headers, page: usize) {
    let Some(header) = headers.find(PT_GNU_RELRO) else { return };
    let start = headers.bias().wrapping_add(header.p_vaddr);
    // Linkers leave nothing else in the first page, but more in the last one.
    let (first, end) = (start & !(page - 1), (start + header.p_memsz) & !(page - 1));
    let Some(address) = NonNull::new(first as *mut u8) else { return };
    if first < end {
        // SAFETY: the linker put nothing into these pages that is written after relocation, and that is over.
        let _ = unsafe { sys::protect(address, end - first, PROT_READ) };
    }
}
