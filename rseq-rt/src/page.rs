//! The page size.

use crate::before_main::BeforeMain;
use crate::env;
use linux_raw_sys::auxvec::AT_PAGESZ;

static SIZE: BeforeMain<usize> = BeforeMain::new();

/// Keeps the page size for later threads.
///
/// # Safety
///
/// The process has one thread, and has had no other.
pub unsafe fn remember_size() {
    let size = env::auxv(AT_PAGESZ as usize).unwrap_or(4096);
    // SAFETY: the caller's contract is the cell's.
    unsafe { SIZE.set(size) };
}

/// Bytes of a page.
pub fn size() -> usize {
    SIZE.get().copied().unwrap_or(4096)
}
