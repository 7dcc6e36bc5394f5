//! Caches whose sections are not armed, so that no interruption restarts them.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use harness::ktap::{OrFail, Verdict};
use harness::options::Options;
use harness::percpu_ops::heap::{self, Blocks};
use harness::skip;
use harness::sys::memory::Mapping;
use rseq_core::percpu::PossibleCpus;
use rseq_heap::Heap;

mod unarmed {
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__stack_sections!(#![unarmed]);
}

const STRIDE: usize = 1 << 14;
const HEADER: usize = 32;

/// The only layout of cached blocks.
const CACHED: Layout = match Layout::from_size_align(512, 64) {
    Ok(layout) => layout,
    Err(_) => panic!("a small layout"),
};

struct Unarmed {
    heap: Heap,
    /// Address of the first of `len` stacks.
    base: AtomicUsize,
    len: AtomicUsize,
}

impl Unarmed {
    /// The first stack, for sections.
    fn stacks(&self) -> (*mut usize, usize) {
        (ptr::with_exposed_provenance_mut(self.base.load(Relaxed)), self.len.load(Relaxed))
    }
}

fn is_cached(layout: Layout) -> bool {
    layout.size() <= CACHED.size() && layout.align() <= CACHED.align()
}

// SAFETY: it is not one: a block can have two owners, who share its 512 bytes. Those of this test use them as atomic
// words.
unsafe impl GlobalAlloc for Unarmed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(token) = rseq_rt::current().filter(|_| is_cached(layout)) else {
            // SAFETY: the caller's layout.
            return unsafe { self.heap.alloc(layout) };
        };
        let ((base, len), mut word) = (self.stacks(), 0);
        // SAFETY: there are `len` slots of STRIDE bytes, and the word is a local.
        match unsafe { unarmed::pop::<STRIDE, _, _>(token, base, len, &raw mut word) } {
            Ok(_) => ptr::with_exposed_provenance_mut(word),
            // SAFETY: the size is not 0.
            Err(_) => unsafe { self.heap.alloc(CACHED) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(token) = rseq_rt::current().filter(|_| is_cached(layout)) else {
            // SAFETY: the block is of this heap, which nothing that is cached goes back to.
            return unsafe { self.heap.dealloc(block, layout) };
        };
        let (base, len) = self.stacks();
        // SAFETY: as in `alloc`. A block that finds no room is lost: it may have another owner.
        let _ = unsafe { unarmed::push::<STRIDE, _, _>(token, base, len, block.expose_provenance()) };
    }
}

/// The load of the other tests finds a block with two owners.
pub fn caught(options: &Options) -> Verdict {
    static BLOCKS: Blocks<Unarmed> =
        Blocks::new(Unarmed { heap: Heap::new(), base: AtomicUsize::new(0), len: AtomicUsize::new(0) });
    if rseq_rt::current().is_none() {
        return Err(skip!("threads are not registered"));
    }
    let len = PossibleCpus::read().or_fail("the possible CPUs")?.slots_by_cpu();
    let memory = Mapping::private(len * STRIDE).or_fail("memory")?;
    for slot in 0..len {
        let slot: *mut usize = ptr::with_exposed_provenance_mut(memory.address() + slot * STRIDE);
        // SAFETY: the mapping is fresh and has so many slots; these are a header's `top`, `end` and `begin`.
        unsafe {
            slot.write(HEADER);
            slot.byte_add(8).write(STRIDE);
            slot.byte_add(16).write(HEADER);
        }
    }
    BLOCKS.heap().base.store(memory.address(), Relaxed);
    BLOCKS.heap().len.store(len, Relaxed);
    heap::caught(&BLOCKS, options)
}
