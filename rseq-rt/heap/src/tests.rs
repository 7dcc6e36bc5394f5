//! Heaps under a libc that registers threads.

use crate::{Heap, Usage, class};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use std::sync::mpsc;
use std::vec::Vec;
use std::{eprintln, thread};

/// A block, filled with a word that no other block has.
struct Block {
    start: NonNull<u8>,
    layout: Layout,
    word: usize,
}

// SAFETY: the block is memory that any thread may use.
unsafe impl Send for Block {}

impl Block {
    fn new(heap: &Heap, layout: Layout, word: usize) -> Self {
        // SAFETY: no layout of these tests has the size 0.
        let start = NonNull::new(unsafe { heap.alloc(layout) }).expect("there is memory");
        assert!(start.addr().get() % layout.align() == 0);
        let block = Self { start, layout, word };
        // SAFETY: the words lie in the block.
        block.words().for_each(|place| unsafe { place.write_unaligned(word) });
        block
    }

    fn words(&self) -> impl Iterator<Item = NonNull<usize>> {
        // SAFETY: the offset is within the block.
        (0..self.layout.size() / size_of::<usize>()).map(|word| unsafe { self.start.cast::<usize>().add(word) })
    }

    fn is_intact(&self) -> bool {
        // SAFETY: the words lie in the block, and `new` wrote them.
        self.words().all(|place| unsafe { place.read_unaligned() } == self.word)
    }

    /// Checks and frees it.
    fn free(self, heap: &Heap) {
        assert!(self.is_intact(), "a block of {} bytes has another owner", self.layout.size());
        // SAFETY: the block was allocated for this layout, and is used no more.
        unsafe { heap.dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// A layout for each number: sizes and alignments of all classes, and a few mappings.
fn layout(number: usize) -> Layout {
    let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as usize) >> (usize::BITS - 20);
    let size = match random % 16 {
        0 if number.is_multiple_of(16) => 1 + random % (class::LARGEST * 3 / 2),
        0..4 => 1 + random % 9000,
        _ => 1 + random % 600,
    };
    let align = 1
        << match random % 8 {
            0 => random % 13,
            _ => random % 5,
        };
    Layout::from_size_align(size, align).expect("small sizes")
}

#[test]
fn no_two_blocks_overlap() {
    static HEAP: Heap = Heap::new();
    eprintln!("rseq is {}", rseq_core::status());
    for round in 0..3 {
        let blocks: Vec<_> = (0..3000).map(|number| Block::new(&HEAP, layout(number + round), number)).collect();
        blocks.into_iter().for_each(|block| block.free(&HEAP));
        assert_eq!(HEAP.usage().allocated, 0);
    }
}

#[test]
fn threads_pass_blocks_on() {
    static HEAP: Heap = Heap::new();
    thread::scope(|scope| {
        for number in 0..4 {
            let (sender, receiver) = mpsc::sync_channel::<Block>(100);
            scope.spawn(move || {
                for block in 0..if cfg!(miri) { 200 } else { 20_000 } {
                    let block = Block::new(&HEAP, layout(block), number << 20 | block);
                    sender.send(block).expect("the other thread receives");
                }
            });
            scope.spawn(move || receiver.into_iter().for_each(|block| block.free(&HEAP)));
        }
    });
}

#[test]
fn spans_go_back() {
    static HEAP: Heap = Heap::new();
    let layout = Layout::from_size_align(100, 8).expect("a small size");
    let blocks: Vec<_> = (0..50_000).map(|number| Block::new(&HEAP, layout, number)).collect();
    let spans = || HEAP.usage().mapped >> 16;
    let full = spans();
    let (kept, freed): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|block| block.word < 25_000);
    freed.into_iter().for_each(|block| block.free(&HEAP));
    // A CPU caches what was freed last, which is in one or two spans.
    let before_trim = spans();
    HEAP.trim();
    let half = spans();
    kept.into_iter().for_each(|block| block.free(&HEAP));
    let bytes = HEAP.trim();
    assert!((85..92).contains(&full) && (42..48).contains(&half), "{full} spans, {half} after half was freed");
    assert!(
        (half..half + 20).contains(&before_trim),
        "{full} spans, {before_trim} after half was freed, {half} after a trim"
    );
    assert_eq!(HEAP.usage(), Usage::default());
    assert!(spans() == 0 && bytes > 0, "{} spans are left, {bytes} bytes went back at last", spans());
}

#[test]
fn a_trim_counts_all_that_goes_back() {
    static HEAP: Heap = Heap::new();
    let layout = Layout::from_size_align(8192, 8).expect("a small size");
    // Fifteen blocks are of three spans, and CPUs cache all of them: the trim unmaps two as it empties the caches.
    let blocks: Vec<_> = (0..15).map(|number| Block::new(&HEAP, layout, number)).collect();
    blocks.into_iter().for_each(|block| block.free(&HEAP));
    let Usage { mapped, cached, .. } = HEAP.usage();
    let bytes = HEAP.trim();
    assert_eq!((bytes, HEAP.usage().mapped), (mapped, 0));
    match cached {
        0 => eprintln!("one span, as nothing is cached: rseq is {}", rseq_core::status()),
        _ => assert!(mapped >= 2 << 16, "{mapped} bytes of spans for {cached} blocks"),
    }
}

#[test]
fn a_block_is_resized_where_it_is_within_its_class() {
    static HEAP: Heap = Heap::new();
    let layout = |size| Layout::from_size_align(size, 8).expect("a small size");
    // SAFETY: sizes are not 0, and each block is freed with the layout that it has last.
    unsafe {
        let block = HEAP.alloc_zeroed(layout(1000));
        assert!((0..1000).all(|at| *block.add(at) == 0));
        block.write(7);
        let same = HEAP.realloc(block, layout(1000), 1024);
        assert_eq!(same, block);
        let other = HEAP.realloc(same, layout(1024), 1025);
        assert!(other != block && *other == 7);
        let large = HEAP.realloc(other, layout(1025), 1 << 20);
        assert_eq!(*large, 7);
        let larger = HEAP.realloc(large, layout(1 << 20), 3 << 20);
        assert_eq!(*larger, 7);
        HEAP.dealloc(larger, layout(3 << 20));
    }
}

#[test]
#[cfg_attr(miri, ignore = "starts itself, and limits its address space")]
fn a_large_block_has_the_heap_trim_itself() {
    use linux_raw_sys::general as raw;
    use rseq_core::sys::syscall;
    use std::{env, fs, process::Command};

    const MIB: usize = 1 << 20;
    static HEAP: Heap = Heap::new();
    let layout = |size| Layout::from_size_align(size, 8).expect("a small size");
    // The limit is that of a process: this test has one.
    if env::var_os("RSEQ_HEAP_LIMITED").is_none() {
        let mut itself = Command::new(env::current_exe().expect("a path"));
        itself.args(["--exact", "tests::a_large_block_has_the_heap_trim_itself"]);
        let output = itself.env("RSEQ_HEAP_LIMITED", "1").output().expect("it starts");
        assert!(output.status.success(), "{output:#?}");
        return;
    }
    let limit = |bytes: u64| {
        let limits = [bytes, u64::MAX];
        // SAFETY: the kernel reads two 64-bit words.
        let set =
            unsafe { syscall(raw::__NR_prlimit64, [0, raw::RLIMIT_AS as usize, limits.as_ptr() as usize, 0, 0, 0]) };
        set.expect("a soft limit");
    };
    // Spans of which each has one free block, and 4 MiB besides.
    let full = || {
        for class in class::CACHED..class::CLASSES {
            Block::new(&HEAP, layout(class::size(class)), class).free(&HEAP);
        }
        let mapped = HEAP.usage().mapped;
        assert!(mapped >= 16 * MIB, "{mapped} bytes of spans");
        let statm = fs::read_to_string("/proc/self/statm").expect("procfs");
        let pages: u64 = statm.split(' ').next().and_then(|pages| pages.parse().ok()).expect("a number");
        limit(pages * 4096 + 4 * MIB as u64);
    };
    full();
    // SAFETY: sizes are not 0, and the block is freed with the layout that it has last.
    unsafe {
        let block = HEAP.alloc(layout(10 * MIB));
        limit(u64::MAX);
        assert!(!block.is_null(), "10 MiB are not allocated");
        full();
        // There would be no room for it and the old one.
        let larger = HEAP.realloc(block, layout(10 * MIB), 22 * MIB);
        limit(u64::MAX);
        assert!(!larger.is_null(), "10 MiB do not grow to 22");
        HEAP.dealloc(larger, layout(22 * MIB));
    }
}

#[test]
fn what_was_freed_is_zeroed_on_demand() {
    static HEAP: Heap = Heap::new();
    let layout = Layout::from_size_align(64, 64).expect("a small size");
    for _ in 0..300 {
        // SAFETY: the size is not 0; the block is freed with its layout.
        unsafe {
            let block = HEAP.alloc_zeroed(layout);
            assert!((0..64).all(|at| *block.add(at) == 0));
            block.write_bytes(0xff, 64);
            HEAP.dealloc(block, layout);
        }
    }
}
