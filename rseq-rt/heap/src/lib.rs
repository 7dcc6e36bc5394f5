//! A heap for Linux programs, with a cache of free blocks for each CPU: the global allocator of `rseq-rt`.
//!
//! | bytes, or alignment | where a block comes from |
//! |---|---|
//! | up to 8 KiB | a stack of the CPU that the thread runs on, without a lock or an atomic instruction |
//! | up to 128 KiB | spans, under one lock, as for the stacks that are empty or full |
//! | more | a mapping of its own |
//!
//! The stacks are [`Stacks`](rseq_core::percpu::Stacks) of `rseq-core`. Threads that are not registered for rseq, and
//! all threads on kernels without it, use the spans.
//!
//! # Memory
//!
//! A block has one of 48 sizes: multiples of 16 bytes up to 128, then four to each doubling. Blocks of a size are in
//! spans of 64 KiB (1 MiB above 8 KiB), and a span whose blocks are all free goes back to the kernel, except for one of
//! each size. A CPU caches at most 1.3 MiB, in 128 blocks of up to 128 bytes to 16 of 8 KiB; on 32-bit machines about
//! half. These keep their spans until [`Heap::trim`], which also takes them from CPUs that are offline. The heap trims
//! itself when the kernel has no more memory.
//!
//! # Forks
//!
//! A child process has one thread, which may need memory while another thread of its parent was in the heap. A stack
//! changes by a single store, so a child finds it as it was before or after an operation. The lock is in a page that a
//! child finds zeroed (`MADV_WIPEONFORK`, Linux 4.14), so that it is free there. Whether the spans were being changed
//! at that moment is in ordinary memory: if they were, the child leaves them alone and begins others. Blocks of the old
//! ones that it frees are cached, but go back to no span. A child of `vfork`, which shares its parent's thread pointer,
//! must not use the heap.
//!
//! # Signal handlers
//!
//! A handler must not allocate or free: where it has interrupted a thread that holds the lock, it would wait for
//! itself.
//!
//! # Examples
//!
//! ```
//! use rseq_heap::Heap;
//!
//! #[global_allocator]
//! static HEAP: Heap = Heap::new();
//!
//! # fn main() {
//! let numbers: Vec<u32> = (0..1000).collect();
//! drop(numbers);
//! let bytes = HEAP.trim();
//! println!("{bytes} bytes went back to the kernel");
//! # }
//! ```
#![no_std]

#[cfg(test)]
extern crate std;

mod caches;
mod central;
mod class;
mod large;
mod lock;
mod span;
mod sys;
#[cfg(test)]
mod tests;

use caches::Caches;
use class::CACHED;
use core::alloc::{GlobalAlloc, Layout};
use core::fmt;
use core::ptr::{self, NonNull};
use lock::Locked;

/// A heap; the type of a `#[global_allocator]`.
///
/// It is meant for a static: what a heap that is dropped has left stays mapped.
pub struct Heap {
    caches: Caches,
    central: Locked,
}

impl Heap {
    /// A heap without memory, which it maps when blocks are allocated.
    pub const fn new() -> Self {
        Self { caches: Caches::new(), central: Locked::new() }
    }

    /// Empties the caches of all CPUs, offline ones too, and gives the spans whose blocks are all free back to the
    /// kernel. Returns the bytes of these.
    ///
    /// It takes a fence (`membarrier`, Linux 5.10) for each size that a CPU has cached. Where the kernel refuses
    /// fences, the caches stay as they are.
    pub fn trim(&self) -> usize {
        let mut bytes = 0;
        for class in 0..CACHED {
            // An array that is not drained, because another thread does so or the kernel refuses, stays as it is.
            let _ = self.caches.stacks.drain_all(class, |block| {
                // SAFETY: the stacks of a class hold free blocks of that class, and return each one once.
                bytes += unsafe { self.put(block, class) };
            });
        }
        bytes + self.central.lock().map_or(0, |mut central| central.trim())
    }

    /// What the blocks of up to 128 KiB take. It is of one moment only if no other thread uses the heap.
    pub fn usage(&self) -> Usage {
        let cached = (0..CACHED).map(|class| self.caches.stacks.len(class)).sum();
        let (mapped, out) = self.central.lock().map_or((0, 0), |central| (central.mapped(), central.out()));
        Usage { mapped, allocated: out.saturating_sub(cached), cached }
    }

    /// A block that is not at hand in the cache of this CPU, or null.
    #[cold]
    #[inline(never)]
    fn take_elsewhere(&self, class: usize) -> *mut u8 {
        let block = if class < CACHED && self.caches.are_on() {
            self.caches.stacks.pop(class).or_else(|| self.refill(class))
        } else {
            self.take_uncached(class)
        };
        pointer(block)
    }

    /// A block of a layout that is not common, or null.
    #[inline(never)]
    fn take_uncommon(&self, layout: Layout) -> *mut u8 {
        match class::of(layout) {
            Some(class) => self.take_elsewhere(class),
            None => pointer(large::map(layout).or_else(|| {
                self.trim();
                large::map(layout)
            })),
        }
    }

    /// A block of the spans.
    fn take_uncached(&self, class: usize) -> Option<NonNull<u8>> {
        let block = self.central.lock()?.take(class);
        block.or_else(|| self.reclaim(class))
    }

    /// A block of the spans, and more for the cache of this CPU.
    fn refill(&self, class: usize) -> Option<NonNull<u8>> {
        let mut batch = caches::batch(class);
        {
            let mut central = self.central.lock()?;
            while !batch.is_full() {
                let Some(block) = central.take(class) else { break };
                let _ = batch.push(block);
            }
        }
        let block = batch.pop();
        self.caches.stacks.push_batch(class, &mut batch);
        self.put_batch(class, batch);
        block.or_else(|| self.reclaim(class))
    }

    /// A block, when the kernel has no more memory: what the caches hold may make a span.
    #[cold]
    fn reclaim(&self, class: usize) -> Option<NonNull<u8>> {
        self.trim();
        self.central.lock()?.take(class)
    }

    /// Frees a block that was not pushed to the stack of this CPU by a single section.
    ///
    /// # Safety
    ///
    /// The block is of this class, and is no longer used.
    #[cold]
    #[inline(never)]
    unsafe fn give_elsewhere(&self, block: NonNull<u8>, class: usize) {
        let is_cached = class < CACHED && self.caches.are_on();
        let left = if is_cached { self.caches.stacks.push(class, block).err().map(|full| full.0) } else { Some(block) };
        match left {
            None => {}
            // SAFETY: the caller's promise: no stack has taken the block.
            Some(block) if is_cached => unsafe { self.flush(block, class) },
            // SAFETY: as above.
            Some(block) => _ = unsafe { self.put(block, class) },
        }
    }

    /// Frees a block whose layout is not a common one.
    ///
    /// # Safety
    ///
    /// The block was allocated for this layout, and is no longer used.
    #[inline(never)]
    unsafe fn give_uncommon(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise: by the layout, the block has this class, or is a mapping.
        unsafe {
            match class::of(layout) {
                Some(class) => self.give_elsewhere(block, class),
                None => large::unmap(block, layout),
            }
        }
    }

    /// Puts a block back into its span, and others from the cache of this CPU.
    ///
    /// # Safety
    ///
    /// As for [`give_elsewhere`](Self::give_elsewhere).
    unsafe fn flush(&self, block: NonNull<u8>, class: usize) {
        let mut batch = caches::batch(class);
        self.caches.stacks.pop_batch(class, &mut batch);
        self.put_batch(class, batch);
        // SAFETY: the caller's promise.
        unsafe { self.put(block, class) };
    }

    /// Puts a block back into its span, and returns the bytes that were unmapped for it.
    ///
    /// # Safety
    ///
    /// As for [`give_elsewhere`](Self::give_elsewhere).
    unsafe fn put(&self, block: NonNull<u8>, class: usize) -> usize {
        // There is a block, so the lock has its page.
        // SAFETY: the caller's promise.
        self.central.lock().map_or(0, |mut central| unsafe { central.put(block, class) })
    }

    /// Puts free blocks of a class back into their spans.
    fn put_batch(&self, class: usize, mut batch: caches::Moved) {
        if batch.is_empty() {
            return;
        }
        if let Some(mut central) = self.central.lock() {
            while let Some(block) = batch.pop() {
                // SAFETY: it was popped from a stack of this class or taken out of a span, so that it is a free block
                // of this class, and nothing else has it.
                unsafe { central.put(block, class) };
            }
        }
    }
}

/// The memory of a heap, without blocks above 128 KiB, each of which is a separate mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes of the spans, in use or not.
    pub mapped: usize,
    /// Blocks that the program has.
    pub allocated: usize,
    /// Free blocks that CPUs cache.
    pub cached: usize,
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").finish_non_exhaustive()
    }
}

// SAFETY: all parts return blocks of the layout that was asked for, which overlap no other block, or null: a class has
// blocks of at least its size and alignment, and a mapping has its own. Which part a block belongs to depends on its
// layout alone, so that it is freed by the one that has it. No function unwinds.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class::of_common(layout) else { return self.take_uncommon(layout) };
        // Nothing here for threads without sections.
        match self.caches.stacks.pop_local(class) {
            Some(block) => block.as_ptr(),
            None => self.take_elsewhere(class),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let block = unsafe { self.alloc(layout) };
        let is_mapping = class::of(layout).is_none(); // which is zeroed
        if !block.is_null() && !is_mapping {
            // SAFETY: the block is fresh and has that many bytes.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: GlobalAlloc's contract: the block was allocated for this layout, so that it is not null and has the
        // same class, or is a mapping, and it is not used any more. A stack that returns it has not taken it.
        unsafe {
            let block = NonNull::new_unchecked(block);
            match class::of_common(layout).map(|class| (class, self.caches.stacks.push_local(class, block))) {
                Some((_, Ok(()))) => {}
                Some((class, Err(_))) => self.give_elsewhere(block, class),
                None => self.give_uncommon(block, layout),
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(old) = NonNull::new(block) else { return ptr::null_mut() };
        // SAFETY: GlobalAlloc's contract: the size, rounded up to the alignment, is at most isize::MAX.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let resized = match (class::of(layout), class::of(new)) {
            // SAFETY: the block is a mapping of the caller's. If the first call returns `None`, it is unchanged.
            (None, None) if large::can_resize(layout, new) => unsafe {
                large::resize(old, layout, new).or_else(|| {
                    self.trim();
                    large::resize(old, layout, new)
                })
            },
            (Some(old_class), Some(new_class)) if old_class == new_class => Some(old),
            _ => None,
        };
        if let Some(resized) = resized {
            return resized.as_ptr();
        }
        // SAFETY: the new layout is valid, see above; the old block has the smaller of both sizes, and so has the new
        // one.
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

#[inline]
fn pointer(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}
