//! The front of an allocator: each CPU caches free objects of some sizes, and exchanges them in batches with a central
//! heap. Its statistics are items of per-CPU memory.
//!
//! `cargo run --release -p rseq-core --example size_classes`

use rseq_core::ops::this_cpu;
use rseq_core::percpu::{Batch, Region, Stacks};
use rseq_core::{Ambient, ensure_registered};
use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;

/// Bytes of the objects of each class.
const SIZES: [usize; 4] = [32, 64, 128, 256];

/// Objects that move at once.
const BATCH: usize = 16;

/// Free objects of each CPU: many of the small ones, few of the large ones.
static CACHE: Stacks<NonNull<u8>, 4, 240> = Stacks::new([128, 64, 32, 16]);

/// Free objects that no CPU caches, by class.
static HEAP: [Mutex<Objects>; 4] = [const { Mutex::new(Objects(Vec::new())) }; 4];

struct Objects(Vec<NonNull<u8>>);

// SAFETY: free objects are memory that any thread may use.
unsafe impl Send for Objects {}

/// A count in per-CPU memory: what a `Counter` is too, but that a program decides when this one's memory goes.
struct Statistic {
    item: NonNull<u8>,
    /// Of threads without sections.
    fallback: AtomicUsize,
}

// SAFETY: the item's copies are changed by sections of their CPUs, and read as atomics.
unsafe impl Sync for Statistic {}
// SAFETY: as above.
unsafe impl Send for Statistic {}

const STRIDE: usize = 1 << 16;

static REGION: Region<STRIDE> = Region::new();

impl Statistic {
    fn new() -> Self {
        let item = REGION.alloc_zeroed(Layout::new::<AtomicUsize>()).expect("there is memory for a word a CPU");
        Self { item, fallback: AtomicUsize::new(0) }
    }

    fn inc(&self) {
        let (base, len) = (self.item.as_ptr().cast(), REGION.copies());
        // SAFETY: the item has `len` copies that lie so far apart, which only these sections change.
        if unsafe { this_cpu::inc::<STRIDE, _, _>(Ambient::token(), base, len) }.is_err() {
            self.fallback.fetch_add(1, Relaxed);
        }
    }

    fn sum(&self) -> usize {
        let copy = |cpu| REGION.copy_of(self.item, cpu).cast::<AtomicUsize>();
        // SAFETY: the copies are aligned words that live as long as the region.
        let own = (0..REGION.copies()).map(|cpu| unsafe { copy(cpu).as_ref() }.load(Relaxed)).sum::<usize>();
        own + self.fallback.load(Relaxed)
    }
}

struct Statistics {
    allocations: Statistic,
    refills: Statistic,
    flushes: Statistic,
    /// Objects that were made.
    made: AtomicUsize,
}

fn statistics() -> &'static Statistics {
    static STATISTICS: OnceLock<Statistics> = OnceLock::new();
    STATISTICS.get_or_init(|| {
        let [allocations, refills, flushes] = std::array::from_fn(|_| Statistic::new());
        Statistics { allocations, refills, flushes, made: AtomicUsize::new(0) }
    })
}

fn class(size: usize) -> usize {
    SIZES.iter().position(|&most| size <= most).expect("larger objects are for another allocator")
}

/// An object of at least so many bytes.
fn alloc(size: usize) -> NonNull<u8> {
    statistics().allocations.inc();
    let class = class(size);
    CACHE.pop(class).unwrap_or_else(|| refill(class))
}

/// # Safety
///
/// The object is one that [`alloc`] returned for this size, and it is not used any more.
unsafe fn free(object: NonNull<u8>, size: usize) {
    let class = class(size);
    if let Err(full) = CACHE.push(class, object) {
        flush(class, full.0);
    }
}

/// An object of the heap, and a batch of them for this CPU.
#[cold]
fn refill(class: usize) -> NonNull<u8> {
    statistics().refills.inc();
    let (mut batch, mut heap) = (Batch::<_, BATCH>::new(), HEAP[class].lock().unwrap());
    while !batch.is_full() {
        let object = heap.0.pop().unwrap_or_else(|| make(class));
        let _ = batch.push(object);
    }
    let object = batch.pop().expect("the batch is full");
    CACHE.push_batch(class, &mut batch);
    heap.0.extend(std::iter::from_fn(|| batch.pop()));
    object
}

/// Gives a batch of this CPU's objects to the heap, and this one.
#[cold]
fn flush(class: usize, object: NonNull<u8>) {
    statistics().flushes.inc();
    let mut batch = Batch::<_, BATCH>::new();
    CACHE.pop_batch(class, &mut batch);
    let mut heap = HEAP[class].lock().unwrap();
    heap.0.push(object);
    heap.0.extend(std::iter::from_fn(|| batch.pop()));
}

fn make(class: usize) -> NonNull<u8> {
    statistics().made.fetch_add(1, Relaxed);
    NonNull::from(Box::leak(vec![0u8; SIZES[class]].into_boxed_slice())).cast()
}

/// Moves what all CPUs cache to the heap, as an allocator does when memory is short.
fn trim() {
    for (class, heap) in HEAP.iter().enumerate() {
        let mut heap = heap.lock().unwrap();
        if let Err(error) = CACHE.drain_all(class, |object| heap.0.push(object)) {
            println!("objects of {} bytes stay where they are: {error}", SIZES[class]);
        }
    }
}

/// An object on its way to another thread.
struct Message(NonNull<u8>, usize);

// SAFETY: the object is the message's.
unsafe impl Send for Message {}

fn main() {
    const THREADS: usize = 4;
    const TIMES: usize = 100_000;
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (sender, receiver) = mpsc::sync_channel::<Message>(64);
            scope.spawn(move || {
                let _ = ensure_registered();
                for time in 0..TIMES {
                    let size = 1 + (time * 31 + number) % 256;
                    let object = alloc(size);
                    // SAFETY: the object has so many bytes, and is this thread's.
                    unsafe { object.write_bytes(size as u8, size) };
                    sender.send(Message(object, size)).expect("the other thread receives");
                }
            });
            scope.spawn(move || {
                for Message(object, size) in receiver {
                    // SAFETY: the sender has filled the object, and given it up.
                    let bytes = unsafe { std::slice::from_raw_parts(object.as_ptr(), size) };
                    assert!(bytes.iter().all(|&byte| byte == size as u8), "an object has two owners");
                    // SAFETY: `alloc` returned it for this size.
                    unsafe { free(object, size) };
                }
            });
        }
    });
    trim();
    let Statistics { allocations, refills, flushes, made } = statistics();
    let (made, free) = (made.load(Relaxed), HEAP.iter().map(|heap| heap.lock().unwrap().0.len()).sum::<usize>());
    println!("rseq: {}", rseq_core::status());
    println!("{} allocations, {} refills, {} flushes", allocations.sum(), refills.sum(), flushes.sum());
    println!("{made} objects made, {free} free after the trim");
    assert_eq!(allocations.sum(), THREADS * TIMES);
    let cached = (0..SIZES.len()).map(|class| CACHE.len(class)).sum::<usize>();
    assert_eq!(free + cached, made);
}
