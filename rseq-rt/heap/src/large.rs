//! Blocks that are mappings of their own, so that they go back to the kernel when they are freed.

use crate::sys;
use core::alloc::Layout;
use core::ptr::NonNull;

/// The smallest pages that Linux has.
const PAGE: usize = 4 << 10;

/// The largest pages that Linux has as its smallest ones.
const LARGEST_PAGE: usize = 64 << 10;

/// Bytes that the mapping has, but for what the kernel adds to the last page; `None` where no address space could hold
/// them.
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
    // SAFETY: the mapping is fresh, and nobody knows it.
    unsafe { sys::unmap(start, len) };
    let start = sys::map(len.checked_add(align)?).ok()?;
    let before = start.addr().get().wrapping_neg() & (align - 1);
    // SAFETY: `before` is below `align`, so that the block and the rest behind it end within the fresh mapping;
    // `before`, `len` and `align - before` are whole pages, and nobody knows them.
    unsafe {
        let block = start.add(before);
        if before > 0 {
            sys::unmap(start, before);
        }
        sys::unmap(block.add(len), align - before);
        Some(block)
    }
}

/// Gives a block back.
///
/// # Safety
///
/// [`map`] or [`resize`] returned it for this layout, and nobody uses it any more.
pub unsafe fn unmap(block: NonNull<u8>, layout: Layout) {
    if let Some(len) = length(layout) {
        // SAFETY: the mapping has that many bytes, up to the end of a page, and is the caller's.
        unsafe { sys::unmap(block, len) };
    }
}

/// Gives back what [`aligned`] returned for `len`.
///
/// # Safety
///
/// Nobody uses it any more.
pub unsafe fn unmap_span(start: NonNull<u8>, len: usize) {
    // SAFETY: the mapping is the caller's.
    unsafe { sys::unmap(start, len) };
}

/// The block with another size, here or elsewhere; `None` leaves it as it was.
///
/// # Safety
///
/// As [`unmap`] if the result is not `None`, but for what is in the block.
pub unsafe fn resize(block: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
    let (old_len, new_len) = (length(old)?, length(new)?);
    if old_len == new_len {
        return Some(block);
    }
    // The kernel aligns to pages what it moves; to shrink, it moves nothing.
    if old.align() > PAGE && new_len > old_len {
        return None;
    }
    // SAFETY: the mapping is the caller's, who uses the result instead.
    unsafe { sys::remap(block, old_len, new_len) }.ok()
}
