//! The global allocator of the feature `alloc`: talc, behind a lock, for small blocks; a mapping each for large ones.
//!
//! # Forks
//!
//! A child process has one thread, which may need memory while another thread of its parent was in the allocator. The lock is
//! in a page that a child finds zeroed (`MADV_WIPEONFORK`, Linux 4.14), so that it is free there. Whether the heap was being
//! changed at that moment is in ordinary memory: if it was, the child leaves that heap alone and begins another one. What it
//! frees of the old one is not used again.
//!
//! # Signal handlers
//!
//! A handler must not allocate or free: where it has interrupted the allocator, it would wait for itself.

mod chunk;
mod heap;
mod large;

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use heap::Heap;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(Heap::new());

struct Allocator(Heap);

// SAFETY: both parts return blocks of the layout that was asked for, which overlap no other block, or null. Which part a
// block belongs to depends on its layout alone, so that it is freed by the one that has it.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if large::is(layout) {
            return pointer(large::map(layout));
        }
        pointer(self.0.lock().and_then(|mut small| small.allocate(layout)))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if large::is(layout) {
            return pointer(large::map(layout)); // mappings are zeroed
        }
        // SAFETY: the layout is the caller's.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: the block is fresh and has that many bytes.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else { return };
        if large::is(layout) {
            // SAFETY: a block of this layout is a mapping, which is the caller's to free.
            unsafe { large::unmap(block, layout) };
        } else if let Some(mut small) = self.0.lock() {
            // SAFETY: a block of this layout is small, and the caller's to free.
            unsafe { small.free(block, layout) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(old) = NonNull::new(block) else { return ptr::null_mut() };
        // SAFETY: GlobalAlloc's contract: the size, rounded up to the alignment, is at most isize::MAX.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let resized = match (large::is(layout), large::is(new)) {
            // SAFETY: the block is a mapping of the caller's.
            (true, true) => unsafe { large::resize(old, layout, new) },
            // SAFETY: the block is small, and the caller's.
            (false, false) => self.0.lock().and_then(|mut small| unsafe { small.resize(old, layout, size) }),
            _ => None,
        };
        if let Some(resized) = resized {
            return resized.as_ptr();
        }
        // SAFETY: the new layout is valid, see above; the old block has the smaller of both sizes, and so has the new one.
        unsafe {
            let fresh = self.alloc(new);
            if !fresh.is_null() {
                fresh.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            fresh
        }
    }
}

fn pointer(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}
