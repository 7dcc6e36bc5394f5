//! Blocks that are mappings of their own, so that they go back to the kernel when they are freed.

use crate::sys;
use crate::thread::page_size;
use core::alloc::Layout;
use core::ptr::NonNull;

/// Blocks above this size in bytes, or this alignment, are mappings.
pub const LIMIT: usize = 128 << 10;

/// Whether blocks of this layout are mappings.
pub fn is(layout: Layout) -> bool {
    layout.size() > LIMIT || layout.align() > LIMIT
}

/// Bytes that the mapping has; `None` where no address space could hold them.
fn length(layout: Layout) -> Option<usize> {
    layout.size().checked_next_multiple_of(page_size())
}

/// A mapping for a block, zeroed.
pub fn map(layout: Layout) -> Option<NonNull<u8>> {
    aligned(length(layout)?, layout.align())
}

/// `len` bytes, a multiple of the page size, at a multiple of `align`.
pub fn aligned(len: usize, align: usize) -> Option<NonNull<u8>> {
    if align <= page_size() {
        return sys::map(len, 0).ok();
    }
    let start = sys::map(len.checked_add(align)?, 0).ok()?;
    let before = (start.as_ptr() as usize).wrapping_neg() & (align - 1);
    // SAFETY: `before` is below `align`, so that the block and the rest behind it end within the fresh mapping; `before` and
    // `align - before` are whole pages, and nobody knows them.
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
        // SAFETY: the mapping has that many bytes and is the caller's.
        unsafe { sys::unmap(block, len) };
    }
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
    if old.align() > page_size() && new_len > old_len {
        return None;
    }
    // SAFETY: the mapping is the caller's, who uses the result instead.
    unsafe { sys::remap(block, old_len, new_len) }.ok()
}
