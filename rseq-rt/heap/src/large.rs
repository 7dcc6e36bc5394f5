//! Blocks that have their own mappings, so that their memory returns to the kernel when they are freed.

use crate::sys;
use core::alloc::Layout;
use core::ptr::NonNull;

/// The smallest pages that Linux has.
const PAGE: usize = 4 << 10;

/// The largest pages that Linux has as its smallest ones.
const LARGEST_PAGE: usize = 64 << 10;

/// The length of a block's mapping, before the kernel rounds it up to a page; `None` if it exceeds every address space.
fn length(layout: Layout) -> Option<usize> {
    layout.size().checked_next_multiple_of(if layout.align() > PAGE { LARGEST_PAGE } else { PAGE })
}

/// A mapping for a block, zeroed.
pub fn map(layout: Layout) -> Option<NonNull<u8>> {
    aligned(length(layout)?, layout.align())
}

/// `len` bytes at a multiple of `align`, zeroed. If `align` is above 4096, `len` is a multiple of 64 KiB.
pub fn aligned(len: usize, align: usize) -> Option<NonNull<u8>> {
    let start = sys::map(len).ok()?;
    if start.addr().get() & (align - 1) == 0 {
        return Some(start);
    }
    // SAFETY: the mapping is fresh, and nothing uses it.
    unsafe { sys::unmap(start, len) };
    let start = sys::map(len.checked_add(align)?).ok()?;
    let before = start.addr().get().wrapping_neg() & (align - 1);
    // SAFETY: `before` is below `align`, so the block and the rest after it end within the fresh mapping. `before`,
    // `len` and `align - before` are whole pages, and nothing uses them.
    unsafe {
        let block = start.add(before);
        if before > 0 {
            sys::unmap(start, before);
        }
        sys::unmap(block.add(len), align - before);
        Some(block)
    }
}

/// Frees a block.
///
/// # Safety
///
/// [`map`] or [`resize`] returned it for this layout, and it is no longer used.
pub unsafe fn unmap(block: NonNull<u8>, layout: Layout) {
    if let Some(len) = length(layout) {
        // SAFETY: the mapping has that many bytes, up to the end of a page, and by the caller's contract it is no
        // longer used.
        unsafe { sys::unmap(block, len) };
    }
}

/// Frees the memory that [`aligned`] returned for `len`.
///
/// # Safety
///
/// [`aligned`] returned `start` for `len`, and the memory is no longer used.
pub unsafe fn unmap_span(start: NonNull<u8>, len: usize) {
    // SAFETY: the caller's contract.
    unsafe { sys::unmap(start, len) };
}

/// Whether [`resize`] keeps the alignment of a block: the kernel aligns moved memory to pages only, and moves nothing
/// that shrinks.
pub fn can_resize(old: Layout, new: Layout) -> bool {
    old.align() <= PAGE || length(new) <= length(old)
}

/// Changes the size of a block, here or elsewhere; `None` leaves it unchanged.
///
/// # Safety
///
/// As [`unmap`] if the result is not `None`, except that the contents are kept. [`can_resize`] allows it.
pub unsafe fn resize(block: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
    let (old_len, new_len) = (length(old)?, length(new)?);
    if old_len == new_len {
        return Some(block);
    }
    // SAFETY: by the caller's contract the block is used only through the result.
    unsafe { sys::remap(block, old_len, new_len) }.ok()
}
