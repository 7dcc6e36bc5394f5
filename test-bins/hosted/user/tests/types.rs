//! Each public type, used as its documentation says, by threads without preparation.

use rseq_core::ops::librseq::load_add_store;
use rseq_core::percpu::{
    Batch, DynRegion, Gauge, Histogram, List, Lock, Max, Min, Node, PerCpu, Pool, PossibleCpus, Region, RegionOptions,
    RegionShape, RemoteError, Ring, Snapshot, Stack, Stacks,
};
use rseq_core::{Ambient, ByMmCid, Committed, OutOfRange, critical_section, ensure_registered, percpu_counters};
use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;
use std::time::Duration;

const THREADS: usize = 8;

fn in_threads(work: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for number in 0..THREADS {
            let work = &work;
            scope.spawn(move || work(number));
        }
    });
}

percpu_counters! {
    pub static SERVER: { requests, errors }
    static CACHE: by_mm_cid { hits, misses }
}

#[test]
fn a_group_of_counters() {
    in_threads(|_| {
        SERVER.requests.add(3);
        SERVER.errors.inc();
        SERVER.errors.sub(1);
        CACHE.hits.inc();
    });
    let sums: Vec<_> = SERVER.iter().collect();
    assert_eq!(sums, [("requests", 24), ("errors", 0)]);
    assert_eq!(CACHE.reset(), [("hits", 8), ("misses", 0)]);
    assert_eq!((CACHE.hits.sum(), CACHE.misses.sum()), (0, 0));
}

#[test]
fn a_gauge_and_the_highest_and_the_lowest_value() {
    static OPEN: Gauge<ByMmCid> = Gauge::new();
    static LONGEST: Max = Max::new();
    static SHORTEST: Min = Min::new();
    in_threads(|number| {
        OPEN.add(5);
        OPEN.sub(6);
        LONGEST.record(100 + number as u64);
        SHORTEST.record(100 + number as u64);
    });
    assert_eq!((OPEN.value(), LONGEST.value(), SHORTEST.value()), (-8, 107, 100));
}

#[test]
fn a_histogram() {
    static READS: Histogram = Histogram::new();
    static WRITES: Histogram = Histogram::new();
    in_threads(|number| {
        READS.record(number as u64);
        WRITES.record_n(1 << 40, 2);
    });
    let mut both = Snapshot::new();
    both += READS.snapshot();
    both += WRITES.reset();
    assert_eq!((both.count(), both.quantile(0.0)), (24, Some(0..=0)));
    assert!(both.quantile(1.0).is_some_and(|values| values.contains(&(1 << 40))));
    assert_eq!(WRITES.snapshot().count(), 0);
    assert!(both.to_string().contains("99 %"));
}

#[test]
fn locks() {
    static RECENT: Lock<Vec<usize>> = Lock::new(Vec::new);
    in_threads(|number| RECENT.lock().push(number));
    match RECENT.lock_cpu(0) {
        Ok(mut recent) => recent.push(THREADS),
        Err(RemoteError::NoSlot(0)) => RECENT.lock().push(THREADS),
        Err(error) => panic!("{error}"),
    }
    let mut all: Vec<_> = RECENT.iter().flat_map(|recent| std::mem::take(&mut *recent.unwrap())).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..=THREADS));
    assert!(RECENT.try_lock().is_some_and(|recent| recent.is_empty()));
}

#[test]
fn stacks() {
    static FREE: Stack<usize, 60> = Stack::new();
    static CLASSES: Stacks<usize, 2, 90, ByMmCid> = Stacks::new([60, 30]);
    in_threads(|number| {
        FREE.push(number).unwrap();
        CLASSES.push(1, number).unwrap();
        let mut batch = Batch::<_, 4>::new();
        assert!(batch.push(THREADS).is_ok() && batch.push(THREADS).is_ok());
        assert_eq!(CLASSES.push_batch(0, &mut batch), 2);
    });
    let mut found = Vec::new();
    match FREE.drain_all(|item| found.push(item)) {
        Ok(count) => assert_eq!(count, THREADS),
        Err(RemoteError::NoFence(_)) => return println!("skipped: no fence"),
        Err(error) => panic!("{error}"),
    }
    found.sort_unstable();
    assert!(found.into_iter().eq(0..THREADS) && FREE.is_empty());
    assert_eq!((CLASSES.len(0), CLASSES.len(1), CLASSES.pop(2)), (2 * THREADS, THREADS, None));
    assert_eq!(CLASSES.drain_all(0, drop), Ok(2 * THREADS));
    match FREE.resize(0, 7, drop) {
        Ok(_) => assert_eq!(FREE.capacity_of(0), 7),
        Err(error) => assert!(matches!(error, RemoteError::NoSlot(_)), "{error}"),
    }
}

#[test]
fn a_ring() {
    static TRACE: Ring = Ring::new(64 * 1024);
    in_threads(|number| {
        TRACE.push(format!("thread {number}").as_bytes()).unwrap();
        TRACE.push_words(&[number, number]).unwrap();
        let mut record = TRACE.reserve(4).unwrap();
        record.write(0, b"done");
        record.commit();
        drop(TRACE.reserve(100).unwrap());
    });
    let mut consumer = TRACE.consumer().unwrap();
    assert!(TRACE.consumer().is_err());
    let (mut done, mut words) = (0, 0);
    let count = consumer.read(|record| match record.bytes() {
        b"done" => done += 1,
        text if text.starts_with(b"thread ") => {}
        _ => words += record.words().len(),
    });
    assert_eq!((count, done, words), (3 * THREADS, THREADS, 2 * THREADS));
    let totals = TRACE.totals();
    assert_eq!((totals.read, totals.dropped, totals.abandoned), (24, 0, 8));
}

#[test]
fn a_ring_with_a_consumer_for_each_cpu() {
    static TRACE: Ring = Ring::new(1 << 20);
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    let consume = |index: Option<u32>| {
        let mut consumer = TRACE.consumer_of(index).unwrap();
        // By thread: the number of its records so far, which begins each of them.
        let mut counts = [0; THREADS];
        let mut next = [0; THREADS];
        loop {
            let is_over = IS_OVER.load(Acquire); // before the last look
            let count = consumer.read(|record| {
                let &[thread, number] = record.words() else { panic!("{} words", record.words().len()) };
                assert!(record.index() == index && number >= next[thread], "{number} of thread {thread} in {index:?}");
                next[thread] = number + 1;
                counts[thread] += 1;
            });
            match count {
                0 if is_over => return counts,
                0 => thread::sleep(Duration::from_micros(100)),
                _ => {}
            }
        }
    };
    let counts = thread::scope(|scope| {
        let cpus = PossibleCpus::read().unwrap();
        let indices = cpus.iter().map(Some).chain([None]);
        let consumers: Vec<_> = indices.map(|index| scope.spawn(move || consume(index))).collect();
        in_threads(|thread| (0..1000).for_each(|number| TRACE.push_words(&[thread, number]).unwrap()));
        IS_OVER.store(true, Release);
        consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect::<Vec<_>>()
    });
    for thread in 0..THREADS {
        assert_eq!(counts.iter().map(|counts| counts[thread]).sum::<usize>(), 1000, "thread {thread}");
    }
    assert_eq!(TRACE.totals().read, 1000 * THREADS as u64);
}

#[test]
fn a_ring_that_overwrites() {
    let ring: Ring<ByMmCid> = Ring::overwriting(1000);
    (0..1000usize).for_each(|number| ring.push_words(&[number]).unwrap());
    let mut last = 0;
    ring.consumer().unwrap().read(|record| last = record.words()[0]);
    let totals = ring.totals();
    assert!(last == 999 && totals.overwritten > 0 && totals.read + totals.overwritten == 1000, "{totals:?}");
}

#[test]
fn a_pool() {
    static BUFFERS: Pool<Vec<u8>> = Pool::new();
    BUFFERS.add((0..THREADS).map(|_| Node::new(Vec::new())).collect::<Vec<_>>().leak());
    in_threads(|number| {
        // A value may be among the last of another CPU.
        while let Err(()) = BUFFERS.pop().map(|mut buffer| buffer.push(number as u8)).ok_or(()) {
            BUFFERS.reclaim().unwrap();
        }
    });
    assert_eq!(BUFFERS.len(), THREADS);
    assert_eq!(BUFFERS.drain().unwrap().map(|buffer| buffer.len()).sum::<usize>(), THREADS);
}

#[test]
fn lists() {
    let mut nodes: Vec<_> = (0..THREADS).map(Node::new).collect();
    let list: List<usize> = List::new();
    thread::scope(|scope| {
        for node in &mut nodes {
            scope.spawn(|| list.push(node));
        }
    });
    let first = list.pop().map(|node| *node.get_mut());
    let here = list.pop_all().map(|node| *node.get_mut()).collect::<Vec<_>>();
    let elsewhere = list.drain().flat_map(Result::unwrap).map(|node| *node.get_mut());
    let mut all: Vec<_> = elsewhere.chain(first).chain(here).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..THREADS));
}

#[test]
fn a_region() {
    static REGION: Region = Region::new();
    in_threads(|number| {
        let layout = Layout::new::<u64>();
        let items: Vec<_> = (0..100).map(|_| REGION.alloc_zeroed(layout).unwrap()).collect();
        for &item in &items {
            for cpu in 0..REGION.copies() {
                // SAFETY: a copy of an item of this size, which is this thread's.
                unsafe {
                    let copy = REGION.copy_of(item, cpu).cast::<u64>();
                    assert_eq!(copy.read(), 0);
                    copy.write(number as u64);
                }
            }
        }
        // SAFETY: they were allocated with this layout, and are not used any more.
        items.into_iter().for_each(|item| unsafe { REGION.free(item, layout) });
    });
    let item = REGION.alloc_copied(Layout::from_size_align(16, 16).unwrap(), b"sixteen").unwrap();
    // SAFETY: as above.
    let last = unsafe { REGION.copy_of(item, REGION.copies() - 1).cast::<[u8; 16]>().read() };
    assert_eq!(&last, b"sixteen\0\0\0\0\0\0\0\0\0");
}

critical_section! {
    /// Adds to the second word if the first one is not 0.
    ///
    /// # Safety
    ///
    /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with two valid words.
    unsafe fn add_if_set(base: *mut Switch, len: usize, count: usize) -> Result<Committed, Left> {
        exits(OutOfRange, Off) scratch(i, word) abort(restart) stride(STRIDE);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, STRIDE);
        add(i, base);
        load(word, [i]);
        cbz(word) else Off;
        commit add([i + 8], count);
    }
}

/// Words of 8 bytes each, on every machine.
#[repr(C, align(8))]
struct Word(AtomicUsize);

#[repr(C)]
struct Switch {
    is_on: Word,
    count: Word,
}

struct Off;

enum Left {
    OutOfRange,
    Off,
}

impl From<OutOfRange> for Left {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

impl From<Off> for Left {
    fn from(_: Off) -> Self {
        Self::Off
    }
}

impl Switch {
    const fn new() -> Self {
        Self { is_on: Word(AtomicUsize::new(1)), count: Word(AtomicUsize::new(0)) }
    }
}

#[test]
fn a_value_with_a_section_of_its_own() {
    static SWITCHES: PerCpu<Switch> = PerCpu::new(Switch::new(), Switch::new);
    let add = |count| {
        SWITCHES.with(
            |token, base, len| {
                // SAFETY: the copies are `len` slots so far apart, which begin with two words.
                match unsafe { add_if_set::<{ PerCpu::<Switch>::STRIDE }, _, _>(token, base, len, count) } {
                    Ok(Committed) => Ok(true),
                    Err(Left::Off) => Ok(false),
                    Err(Left::OutOfRange) => Err(OutOfRange),
                }
            },
            |fallback| {
                let is_on = fallback.is_on.0.load(Relaxed) != 0;
                fallback.count.0.fetch_add(if is_on { count } else { 0 }, Relaxed);
                is_on
            },
        )
    };
    in_threads(|_| assert!(add(2)));
    SWITCHES.iter().for_each(|switch| switch.is_on.0.store(0, Relaxed));
    in_threads(|_| assert!(!add(100)));
    let sum = SWITCHES.iter().map(|switch| switch.count.0.load(Relaxed)).sum::<usize>();
    assert_eq!(sum, 2 * THREADS);
}

/// Counters in a region whose stride is known at run time: `count` of them, by operations that are given the copy.
fn counters_in(region: &DynRegion, count: usize) {
    struct Items(Vec<NonNull<u8>>);
    // SAFETY: addresses in memory that threads share.
    unsafe impl Sync for Items {}

    let items = &Items((0..count).map(|_| region.alloc_zeroed().unwrap()).collect());
    in_threads(|_| {
        ensure_registered().unwrap();
        let token = Ambient::token();
        for &item in &{ items }.0 {
            loop {
                let cpu = token.cpu_id_start() as usize;
                let copy = region.copy_of(item, cpu).cast::<usize>();
                // SAFETY: a word of the item's copy for a possible CPU, which only these sections write.
                if unsafe { load_add_store(token, cpu, copy.as_ptr(), 3) }.is_ok() {
                    break;
                }
            }
        }
    });
    for &item in &items.0 {
        let copies = (0..region.shape().copies()).map(|cpu| region.copy_of(item, cpu).cast::<usize>());
        // SAFETY: words of the item, whose threads are gone.
        assert_eq!(copies.map(|copy| unsafe { copy.read() }).sum::<usize>(), 3 * THREADS);
        // SAFETY: it was allocated above, and is not used any more.
        unsafe { region.free(item) };
    }
}

#[test]
fn a_region_whose_stride_is_chosen_at_run_time() {
    if let Err(cause) = ensure_registered() {
        return println!("skipped, as sections are off: {cause}");
    }
    // More items than a range of the smaller stride has.
    for stride in [4096, 1 << 16] {
        let shape = RegionShape::new(stride, 0, Layout::new::<usize>()).unwrap();
        counters_in(&DynRegion::new(shape, RegionOptions::new()), 2000);
    }
}

#[test]
fn a_region_copied_on_write() {
    static TABLES: Region = Region::with(RegionOptions::new().copy_on_write());
    let item = TABLES.alloc_copied(Layout::new::<[u32; 4]>(), &[1; 16]).unwrap();
    // SAFETY: a copy of an item of this size.
    let table = unsafe { TABLES.copy_of(item, 0).cast::<[u32; 4]>().read() };
    assert_eq!(table, [0x0101_0101; 4]);
}
