//! Blocks of a heap, allocated and freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use rseq_heap::Heap;
use talc::{ClaimOnOom, Span, Talc};

use crate::{Case, Contender, Goal, Made, barrier, by_sections, try_repeat, workload};

pub const CASE: Case = Case {
    name: "heap",
    operation: "allocates a block of 32 bytes, writes and reads a word of it, and frees it",
    contenders: &[
        Contender::ours("rseq-heap", || pair(heap)),
        Contender::peer("glibc", || pair(glibc)),
        Contender::peer("talc, a lock", || pair(talc)),
    ],
    goals: &[
        Goal::nanoseconds("rseq-heap", 1, 15.0),
        Goal::nanoseconds("rseq-heap", 8, 15.0),
        Goal::times("rseq-heap", 8, 1.0, "glibc"),
    ],
    threads: None,
};

pub const MIXED: Case = Case {
    name: "heap-mixed",
    operation: "frees one of a thread's 64 blocks, and allocates one of 1 to 1024 bytes instead, at random",
    contenders: &[
        Contender::ours("rseq-heap", || mixed(heap)),
        Contender::peer("glibc", || mixed(glibc)),
        Contender::peer("talc, a lock", || mixed(talc)),
    ],
    goals: &[Goal::times("rseq-heap", 8, 1.0, "glibc")],
    threads: None,
};

/// A heap, or why it cannot be measured.
type Found = Result<&'static dyn Allocator>;

trait Allocator: GlobalAlloc + Sync {}

impl<T: GlobalAlloc + Sync> Allocator for T {}

fn heap() -> Found {
    static HEAP: Heap = Heap::new();
    by_sections()?;
    Ok(&HEAP)
}

fn glibc() -> Found {
    Ok(&System)
}

/// talc under a futex, as rseq-rt had it.
struct Locked(Mutex<Talc<ClaimOnOom>>);

// SAFETY: the blocks are talc's, which is used by one thread at a time.
unsafe impl GlobalAlloc for Locked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's: the size is not 0.
        let block = self.0.lock().map(|mut talc| unsafe { talc.malloc(layout) });
        block.ok().and_then(Result::ok).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let (Some(block), Ok(mut talc)) = (NonNull::new(block), self.0.lock()) {
            // SAFETY: the caller's: talc has allocated the block for this layout, and it is not used any more.
            unsafe { talc.free(block, layout) };
        }
    }
}

fn talc() -> Found {
    /// Memory for all blocks of both cases.
    static mut ARENA: [MaybeUninit<u8>; 16 << 20] = [MaybeUninit::uninit(); 16 << 20];
    // SAFETY: the arena is talc's alone.
    static TALC: Locked =
        Locked(Mutex::new(Talc::new(unsafe { ClaimOnOom::new(Span::from_array((&raw const ARENA).cast_mut())) })));
    Ok(&TALC)
}

/// A number that no other running thread has: the address of something on its stack.
fn mark() -> usize {
    let here = 0u8;
    (&raw const here).addr()
}

fn block(heap: &dyn Allocator, layout: Layout) -> Result<NonNull<u8>> {
    // SAFETY: no layout of this file has the size 0.
    NonNull::new(unsafe { heap.alloc(layout) }).context("no memory")
}

fn pair(heap: fn() -> Found) -> Made {
    let run = |heap: &&'static dyn Allocator, operations| {
        let (mark, layout) = (mark(), Layout::new::<[usize; 4]>());
        try_repeat(operations, || {
            let word = block(*heap, layout)?.cast::<usize>();
            // SAFETY: the block has this layout and is this thread's until it is freed, after which it is not used.
            unsafe {
                word.write_volatile(mark);
                barrier();
                let is_ours = word.read_volatile() == mark;
                heap.dealloc(word.as_ptr().cast(), layout);
                ensure!(is_ours, "two threads got one block");
            }
            Ok(())
        })
    };
    workload(heap()?, run, |_, _| Ok(()))
}

/// A thread's blocks, which go when it ends.
struct Blocks {
    heap: &'static dyn Allocator,
    blocks: [(*mut u8, Layout); 64],
}

impl Blocks {
    /// Frees the block at a place, and keeps another one there.
    fn replace(&mut self, place: usize, block: *mut u8, layout: Layout) {
        let (old, old_layout) = std::mem::replace(&mut self.blocks[place], (block, layout));
        if !old.is_null() {
            // SAFETY: the heap has allocated the block for this layout, and it is not used any more.
            unsafe { self.heap.dealloc(old, old_layout) };
        }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        (0..64).for_each(|place| self.replace(place, ptr::null_mut(), Layout::new::<u8>()));
    }
}

fn mixed(heap: fn() -> Found) -> Made {
    let run = |heap: &&'static dyn Allocator, operations| {
        let mut random = Random(mark() as u64 | 1);
        let mut blocks = Blocks { heap: *heap, blocks: [(ptr::null_mut(), Layout::new::<u8>()); 64] };
        try_repeat(operations, || {
            let number = random.next();
            let layout = Layout::from_size_align(1 + number as usize % 1024, 8)?;
            let block = block(*heap, layout)?;
            // SAFETY: the block has a byte at least.
            unsafe { block.write_volatile(number as u8) };
            blocks.replace(number as usize >> 10 & 63, block.as_ptr(), layout);
            Ok(())
        })
    };
    workload(heap()?, run, |_, _| Ok(()))
}

/// xorshift: a few instructions.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
