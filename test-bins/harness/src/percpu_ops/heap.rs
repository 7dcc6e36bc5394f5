//! A heap under load: each block has one owner at a time, keeps its contents, and is freed in the end.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};

use rseq_core::sys::rseq_raw;
use rseq_core::{Status, arch, status};
use rseq_heap::Heap;

use super::{Counts, Gauge, Tally};
use crate::abort_count::AbortCount;
use crate::index::ByCpu;
use crate::ktap::{OrFail, Verdict};
use crate::load::{Load, Worker};
use crate::options::{Options, PATIENCE};
use crate::registration::Registered;

/// Rounds between two runs of the [`Gauge`], which takes much longer.
const GAUGED: usize = 256;

/// The aborts for each that the gauge sees, at the least: the kernel counts some nine.
const RESTARTS: usize = 4;

/// Runs of the gauge between two trims of the heap, by one worker.
const TRIMMED: usize = 16;

/// Blocks that a worker owns at a time.
const KEPT: usize = 64;

/// Places where workers leave blocks for each other.
const LEFT: usize = 128;

/// The second word of a block with an owner, combined with its address.
const OWNED: usize = 0x5ead_0b1e_u32 as usize;

/// The largest blocks of a test: they are cached, or come from spans.
const LARGEST: usize = 20_000;

/// An allocator, and its errors.
pub struct Blocks<A> {
    heap: A,
    left: [AtomicPtr<u8>; LEFT],
    /// Blocks that were handed out while they had an owner.
    pub twice: AtomicUsize,
    /// Blocks whose owner did not find what it had written.
    pub spoiled: AtomicUsize,
    /// Blocks that were allocated.
    pub allocated: AtomicU64,
    /// Blocks that were freed.
    pub freed: AtomicU64,
}

impl<A: GlobalAlloc> Blocks<A> {
    /// The blocks of an allocator, none so far.
    pub const fn new(heap: A) -> Self {
        Self {
            heap,
            left: [const { AtomicPtr::new(ptr::null_mut()) }; LEFT],
            twice: AtomicUsize::new(0),
            spoiled: AtomicUsize::new(0),
            allocated: AtomicU64::new(0),
            freed: AtomicU64::new(0),
        }
    }

    /// The allocator.
    pub fn heap(&self) -> &A {
        &self.heap
    }

    /// Allocates the block with a number, which determines its layout. Its first word is the number, the second marks
    /// an owner, the others repeat the number.
    pub fn allocate(&self, number: usize) -> Option<NonNull<u8>> {
        let layout = layout(number);
        // SAFETY: no layout has the size 0.
        let block = NonNull::new(unsafe { self.heap.alloc(layout) })?;
        self.allocated.fetch_add(1, Relaxed);
        if owner(block).swap(mark(block), Relaxed) == mark(block) {
            self.twice.fetch_add(1, Relaxed);
        }
        if !block.addr().get().is_multiple_of(layout.align()) {
            self.spoiled.fetch_add(1, Relaxed);
        }
        words(block, layout).for_each(|word| word.store(number, Relaxed));
        Some(block)
    }

    /// Checks a block and frees it.
    pub fn free(&self, block: NonNull<u8>) {
        let number = number(block);
        let layout = layout(number);
        let is_owned = owner(block).swap(0, Relaxed) == mark(block);
        if !is_owned || words(block, layout).any(|word| word.load(Relaxed) != number) {
            self.spoiled.fetch_add(1, Relaxed);
        }
        self.freed.fetch_add(1, Relaxed);
        // SAFETY: the block was allocated with this number and so this layout, and this thread is its last user.
        unsafe { self.heap.dealloc(block.as_ptr(), layout) };
    }

    /// Leaves a block for another worker, and takes one that another worker has left.
    fn exchange(&self, block: Option<NonNull<u8>>, place: usize) -> Option<NonNull<u8>> {
        let block = block.map_or(ptr::null_mut(), NonNull::as_ptr);
        NonNull::new(self.left.get(place % LEFT)?.swap(block, AcqRel))
    }

    /// Allocates, frees and exchanges blocks `rounds` times, between two reads of the clock. None if the heap is out of
    /// memory.
    pub fn use_some(&self, kept: &mut Kept, rounds: usize) -> Option<()> {
        for _ in 0..rounds {
            let number = kept.random();
            let place = kept.blocks.get_mut(number % KEPT)?;
            match number >> 8 & 7 {
                0 => *place = self.exchange(place.take(), number >> 12),
                _ => match place.take() {
                    Some(block) => self.free(block),
                    None => *place = Some(self.allocate(number >> 3)?),
                },
            }
        }
        Some(())
    }

    /// Frees the blocks of a worker.
    pub fn free_all(&self, kept: Kept) {
        kept.blocks.into_iter().flatten().for_each(|block| self.free(block));
    }

    /// Frees the blocks that workers have left for each other.
    pub fn free_left(&self) {
        for place in 0..LEFT {
            if let Some(block) = self.exchange(None, place) {
                self.free(block);
            }
        }
    }

    /// The verdict on all blocks, once none is in use.
    pub fn is_exact(&self) -> Verdict {
        let [allocated, freed] = [&self.allocated, &self.freed].map(|count| count.load(Relaxed));
        let [twice, spoiled] = [&self.twice, &self.spoiled].map(|count| count.load(Relaxed));
        crate::note!("{allocated} blocks allocated, {freed} freed, {twice} with two owners, {spoiled} spoiled");
        crate::ensure!(
            twice == 0 && spoiled == 0,
            "{twice} blocks had two owners, {spoiled} were not as they were left"
        );
        crate::ensure!(allocated == freed && freed > 0, "{allocated} blocks allocated, {freed} freed");
        Ok(())
    }
}

/// The layout of the block with a number: of all classes, mostly small ones.
fn layout(number: usize) -> Layout {
    let align = 1 << (number >> 4 & 7) << (if number & 15 == 0 { 4 } else { 0 });
    let size = match number & 15 {
        0 => number % LARGEST,
        1..4 => number % 3000,
        _ => number % 300,
    };
    let size = size.max(2 * size_of::<usize>());
    Layout::from_size_align(size, align.clamp(size_of::<usize>(), 2048)).unwrap_or(Layout::new::<[usize; 2]>())
}

fn word<'a>(block: NonNull<u8>, index: usize) -> &'a AtomicUsize {
    // SAFETY: a block has at least two words, `words` stays within it, and it is aligned to a word. Its contents are
    // accessed as atomic words, even if a faulty heap has allocated it to two threads.
    unsafe { block.cast::<AtomicUsize>().add(index).as_ref() }
}

fn number(block: NonNull<u8>) -> usize {
    word(block, 0).load(Relaxed)
}

fn owner<'a>(block: NonNull<u8>) -> &'a AtomicUsize {
    word(block, 1)
}

/// All words but the owner's.
fn words<'a>(block: NonNull<u8>, layout: Layout) -> impl Iterator<Item = &'a AtomicUsize> {
    (0..layout.size() / size_of::<usize>()).filter(|&index| index != 1).map(move |index| word(block, index))
}

fn mark(block: NonNull<u8>) -> usize {
    block.addr().get() ^ OWNED
}

/// The blocks of a worker, and its random numbers.
pub struct Kept {
    blocks: [Option<NonNull<u8>>; KEPT],
    state: u32,
}

impl Kept {
    /// No blocks; each worker has different random numbers.
    pub fn new(worker: u32) -> Self {
        Self { blocks: [None; KEPT], state: 0x9e37_79b9 ^ worker.wrapping_mul(0x85eb_ca6b) }
    }

    /// xorshift of 32 bits.
    fn random(&mut self) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        self.state as usize
    }
}

/// Whether CPUs cache blocks in this process.
fn is_on() -> bool {
    matches!(status(), Status::On(_)) && rseq_rt::current().is_some()
}

/// Each block has one owner at a time, under signals and moves. With `releases`, every second worker is unregistered
/// for half of the time. All blocks are freed at the end, and all memory is returned.
pub fn exact(blocks: &Blocks<Heap>, options: &Options, releases: bool) -> Verdict {
    let (on, tally, abort_count) = (is_on(), Tally::default(), AbortCount::start());
    let enough = options.enough.div_ceil(RESTARTS);
    let load = Load::heavy(options.threads, options.nanoseconds, enough);
    let load = if on { load } else { load.without_aborts() };
    let work = |worker: &Worker<'_>| tally.add(repeat(blocks, worker, on, releases));
    let proves = |aborts: usize| match on {
        true => aborts > 0 && abort_count.aborts().map_or(true, |count| count != aborts as u64),
        false => tally.done() > 0,
    };
    let record = load.run_until(PATIENCE, &|record| proves(record.events), &work).or_fail("the load")?;
    blocks.free_left();
    blocks.is_exact()?;
    let usage = blocks.heap.usage();
    crate::ensure!(usage.allocated == 0, "the heap counts {} blocks in use, all were freed", usage.allocated);
    crate::ensure!(!on || usage.cached > 0, "no CPU has cached a block");
    if !on {
        crate::ensure!(tally.broken.load(Relaxed) == 0 && tally.done() > 0, "workers could not work");
        return Ok(());
    }
    tally.judge("heap", true, &record, abort_count.aborts())
}

fn repeat(blocks: &Blocks<Heap>, worker: &Worker<'_>, on: bool, releases: bool) -> Option<Counts> {
    let (mut gauge, mut counts, mut kept) = (Gauge::new()?, Counts::default(), Kept::new(worker.index));
    while worker.goes_on() {
        blocks.use_some(&mut kept, GAUGED)?;
        if on && releases && worker.index % 2 == 1 {
            released(|| blocks.use_some(&mut kept, GAUGED))??;
        }
        if worker.index == 0 && counts.done % (TRIMMED * GAUGED) == 0 {
            blocks.heap.trim();
        }
        counts.done += GAUGED;
        if on {
            let restarts = gauge.restarts::<ByCpu>(rseq_rt::current()?)?;
            counts.aborted += restarts;
            worker.saw(restarts);
        } else {
            worker.saw_signals();
        }
    }
    blocks.free_all(kept);
    Some(counts)
}

/// Runs `body` while this thread is not registered.
pub fn released<R>(body: impl FnOnce() -> R) -> Option<R> {
    let registered = Registered::by_runtime().ok()?;
    // SAFETY: until it is registered again, this thread uses its registration only through the heap, which checks it.
    unsafe { registered.release() }.ok()?;
    let result = body();
    let area = arch::own_area().as_ptr();
    // SAFETY: the thread's own area, which is not registered at this point; these are fields that threads may write.
    unsafe {
        (&raw mut (*area).rseq_cs).write_volatile(0);
        (&raw mut (*area).flags).write_volatile(0);
    }
    // SAFETY: the registration that the runtime had made, and will release.
    unsafe { rseq_raw(registered.address, registered.length, 0, arch::SIGNATURE) }.ok()?;
    Some(result)
}

/// How long [`caught`] waits at most. Only a switch to another thread or a move counts, within sections that are short:
/// on emulated machines of a busy host the first one took up to 9 s, and once more than 15 s.
const LONGEST: u64 = 4 * PATIENCE;

/// Runs blocks through a wrong allocator, until it has allocated one to two threads.
pub fn caught<A: GlobalAlloc + Sync>(blocks: &Blocks<A>, options: &Options) -> Verdict {
    let load = Load::heavy(options.threads, options.nanoseconds, 1);
    let work = |worker: &Worker<'_>| {
        let mut kept = Kept::new(worker.index);
        while worker.goes_on() && blocks.use_some(&mut kept, GAUGED).is_some() {
            worker.saw(blocks.twice.load(Relaxed));
        }
    };
    let record = load.run_until(LONGEST, &|record| record.events > 0, &work).or_fail("the load")?;
    let twice = blocks.twice.load(Relaxed);
    crate::note!("{twice} blocks had two owners after {} ms", record.nanoseconds / 1_000_000);
    crate::in_time!(twice > 0, "no block had two owners: this control has to give one to two threads");
    Ok(())
}
