//! The heap of small blocks, and its lock, which is free in a child process.

use super::chunk;
use crate::sync::RawMutex;
use crate::sys;
use crate::thread::page_size;
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering, fence};
use linux_raw_sys::general::MADV_WIPEONFORK;
use lock_api::RawMutex as _;
use talc::{OomHandler, Talc};

/// What a child process finds zeroed.
#[repr(C)]
struct OfProcess {
    /// Free if all bytes are 0.
    lock: RawMutex,
    /// Whether the lock was taken in this process before.
    is_known: AtomicBool,
}

/// Blocks of one heap after the other: a child process may have to begin another one.
pub struct Heap {
    of_process: AtomicPtr<OfProcess>,
    /// Whether a thread may be changing the heap. Inherited by children.
    is_busy: AtomicBool,
    talc: UnsafeCell<Talc<Grow>>,
}

// SAFETY: talc is only reached through `lock`. Its pointers lead to mappings that every thread may use.
unsafe impl Sync for Heap {}

/// Maps more memory when talc has none left.
struct Grow {
    /// The number of the heap.
    heap: usize,
}

impl OomHandler for Grow {
    fn handle_oom(talc: &mut Talc<Self>, _layout: Layout) -> Result<(), ()> {
        let chunk = chunk::map(talc.oom_handler.heap).ok_or(())?;
        // SAFETY: the chunk is fresh, and talc's from here on.
        unsafe { talc.claim(chunk) }.map(drop)
    }
}

impl Heap {
    /// No memory yet.
    pub const fn new() -> Self {
        Self {
            of_process: AtomicPtr::new(ptr::null_mut()),
            is_busy: AtomicBool::new(false),
            talc: UnsafeCell::new(Talc::new(Grow { heap: 0 })),
        }
    }

    /// Waits for the heap; `None` without memory for its lock.
    pub fn lock(&self) -> Option<Guard<'_>> {
        let of_process = self.of_process()?;
        of_process.lock.lock();
        if !of_process.is_known.load(Ordering::Relaxed) {
            of_process.is_known.store(true, Ordering::Relaxed);
            if self.is_busy.load(Ordering::Relaxed) {
                // SAFETY: the lock is held, and no thread but this one is left of those that used the old heap.
                unsafe { self.abandon() };
            }
        }
        self.is_busy.store(true, Ordering::Relaxed);
        // A fork shows a child what this thread stored up to some instruction: this first, then the heap's words.
        fence(Ordering::Release);
        Some(Guard { heap: self, of_process })
    }

    /// Begins another heap.
    ///
    /// # Safety
    ///
    /// The lock is held by this thread.
    unsafe fn abandon(&self) {
        let talc = self.talc.get();
        // SAFETY: the caller holds the lock. The old value owns nothing that a drop would give back.
        unsafe {
            let heap = (*talc).oom_handler.heap + 1;
            talc.write(Talc::new(Grow { heap }));
        }
    }

    /// The page of the lock, mapped at first use.
    fn of_process(&self) -> Option<&OfProcess> {
        let found = NonNull::new(self.of_process.load(Ordering::Acquire));
        // SAFETY: the page was zeroed, which is a valid value, it is never unmapped, and all in it is atomic.
        found.or_else(|| self.map_page()).map(|page| unsafe { page.as_ref() })
    }

    #[cold]
    fn map_page(&self) -> Option<NonNull<OfProcess>> {
        let page = sys::map(page_size(), 0).ok()?;
        // SAFETY: the page is fresh. Where the kernel refuses, children inherit the lock as it is.
        let _ = unsafe { sys::advise(page, page_size(), MADV_WIPEONFORK) };
        let ours = page.cast::<OfProcess>();
        let set = self.of_process.compare_exchange(ptr::null_mut(), ours.as_ptr(), Ordering::AcqRel, Ordering::Acquire);
        match set {
            Ok(_) => Some(ours),
            Err(theirs) => {
                // SAFETY: nobody else has learned of this page.
                unsafe { sys::unmap(page, page_size()) };
                NonNull::new(theirs)
            }
        }
    }
}

/// The heap while this thread alone has it.
pub struct Guard<'a> {
    heap: &'a Heap,
    of_process: &'a OfProcess,
}

impl Guard<'_> {
    fn talc(&mut self) -> &mut Talc<Grow> {
        // SAFETY: the guard has the lock.
        unsafe { &mut *self.heap.talc.get() }
    }

    /// A fresh block.
    pub fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: GlobalAlloc's contract: the size is not 0.
        unsafe { self.talc().malloc(layout) }.ok()
    }

    /// Gives a block back; one of an earlier heap is left where it is.
    ///
    /// # Safety
    ///
    /// The block is small, has this layout, and nobody uses it any more.
    pub unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise, and the heap is the one that made the block.
        unsafe {
            if self.has(block) {
                self.talc().free(block, layout);
            }
        }
    }

    /// The same block with another size, small too; `None` leaves it as it was.
    ///
    /// # Safety
    ///
    /// The block is small, has this layout, and is the caller's.
    pub unsafe fn resize(&mut self, block: NonNull<u8>, layout: Layout, size: usize) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise; each call gets the sizes that it asks for, a smaller or a larger one.
        unsafe {
            if !self.has(block) {
                return None;
            }
            if size > layout.size() {
                return self.talc().grow_in_place(block, layout, size).ok();
            }
            if size < layout.size() {
                self.talc().shrink(block, layout, size);
            }
            Some(block)
        }
    }

    /// # Safety
    ///
    /// The block is small.
    unsafe fn has(&mut self, block: NonNull<u8>) -> bool {
        // SAFETY: every small block is within a chunk.
        unsafe { chunk::heap_of(block) == self.talc().oom_handler.heap }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.heap.is_busy.store(false, Ordering::Release);
        // SAFETY: the guard has the lock.
        unsafe { self.of_process.lock.unlock() };
    }
}
