//! Eight threads that move from CPU to CPU and are interrupted by a handler that allocates too.

use crate::affinity::try_pin;
use crate::libc::{SIGUSR2, handle, interrupted};
use crate::skipped::skipped;
use rseq_core::percpu::{PossibleCpus, Region, RegionOptions};
use rseq_core::{Status, status};
use std::alloc::Layout;
use std::collections::BTreeSet;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const STRIDE: usize = 1 << 14;
const THREADS: usize = 8;
/// Those of two classes, and their number in the region is far from what the threads want.
const SIZES: [usize; 2] = [64, 200];

/// The signals that are enough, and how long threads run for them, at least and at most.
const ENOUGH: usize = 1000;
const LEAST: Duration = Duration::from_millis(800);
const MOST: Duration = Duration::from_secs(60);

static REGION: OnceLock<Region<STRIDE>> = OnceLock::new();
static DOUBLED: AtomicUsize = AtomicUsize::new(0);
static FROM_HANDLER: AtomicUsize = AtomicUsize::new(0);

fn layout(class: usize) -> Layout {
    Layout::from_size_align(SIZES[class], 8).unwrap()
}

/// The word of the item that is 1 while somebody has the item: allocating and freeing do not write it.
fn owner(item: NonNull<u8>) -> &'static AtomicUsize {
    // SAFETY: a word of an item, whose memory is never given back.
    unsafe { item.cast::<AtomicUsize>().as_ref() }
}

fn take(class: usize) -> Option<NonNull<u8>> {
    let item = REGION.get()?.alloc(layout(class)).ok()?;
    DOUBLED.fetch_add(owner(item).swap(1, Relaxed), Relaxed);
    Some(item)
}

fn give(item: NonNull<u8>, class: usize) {
    owner(item).store(0, Relaxed);
    // SAFETY: the region allocated it for this layout, and it is no longer used.
    REGION.get().into_iter().for_each(|region| unsafe { region.free(item, layout(class)) });
}

extern "C" fn use_some(_: i32) {
    let items: [_; 3] = std::array::from_fn(|_| take(0));
    items.into_iter().flatten().for_each(|item| give(item, 0));
    FROM_HANDLER.fetch_add(1, Relaxed);
}

/// All items of a class that are free, taken from each CPU in turn.
fn all(class: usize, cpus: &PossibleCpus) -> Vec<NonNull<u8>> {
    let mut items = Vec::new();
    for _ in cpus.iter().filter(|&cpu| try_pin(0, cpu)) {
        while let Ok(item) = REGION.get().unwrap().alloc(layout(class)) {
            items.push(item);
        }
    }
    items
}

/// The numbers of items, all of them distinct, and free again.
fn count(cpus: &PossibleCpus) -> [usize; 2] {
    let taken = [all(0, cpus), all(1, cpus)];
    let distinct: BTreeSet<_> = taken.iter().flatten().collect();
    assert_eq!(distinct.len(), taken[0].len() + taken[1].len(), "items are on two lists");
    [0, 1].map(|class| {
        taken[class].iter().for_each(|&item| give(item, class));
        taken[class].len()
    })
}

fn run(seed: usize, cpus: &PossibleCpus) {
    let (mut held, mut random) = (Vec::new(), seed * 0x9e37_79b9 + 1);
    let began = Instant::now();
    // Longer where hardly a signal came, as on a machine with one CPU or with other load.
    let is_over = |elapsed: Duration| elapsed > MOST || elapsed > LEAST && FROM_HANDLER.load(Relaxed) > ENOUGH;
    while !is_over(began.elapsed()) {
        try_pin(0, (random % cpus.slots_by_cpu()) as u32);
        for _ in 0..200 {
            random = random.wrapping_mul(25_214_903_917).wrapping_add(11);
            let class = random >> 9 & 1;
            if random >> 7 & 3 != 0 && held.len() < 150 {
                held.extend(take(class).map(|item| (item, class)));
            } else if !held.is_empty() {
                let (item, class) = held.swap_remove((random >> 12) % held.len());
                give(item, class);
            }
        }
    }
    held.into_iter().for_each(|(item, class)| give(item, class));
}

#[test]
fn items_are_nobody_elses_and_none_is_lost() {
    let cpus = PossibleCpus::read().unwrap();
    let memory = vec![0usize; 3 * Region::<STRIDE>::range_size() / size_of::<usize>()].leak();
    let start = NonNull::from(&mut *memory).cast();
    // SAFETY: it was leaked, and no other region has it.
    let options = unsafe { RegionOptions::new().memory(start, size_of_val(memory)) };
    assert!(REGION.set(Region::with(options)).is_ok());
    // All memory becomes items of the first class, but for a few.
    let few: Vec<_> = (0..40).map(|_| take(1).unwrap()).collect();
    few.into_iter().for_each(|item| give(item, 1));
    let before = count(&cpus);
    assert!(before[0] > 200 && before[1] >= 40, "{before:?}");
    handle(SIGUSR2, use_some);
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let cpus = &cpus;
            scope.spawn(move || interrupted(SIGUSR2, || run(seed, cpus)));
        }
    });
    assert_eq!(DOUBLED.load(Relaxed), 0, "items that two had");
    assert_eq!(count(&cpus), before);
    assert!(FROM_HANDLER.load(Relaxed) > ENOUGH, "{FROM_HANDLER:?} signals");
    if let Status::Off(cause) = status() {
        skipped(format!("all of this was done under the lock: {cause}"));
    }
}

/// What CPUs keep on their stacks is used when memory runs out, from whichever CPU.
#[test]
fn what_another_cpu_keeps_is_found() {
    let cpus = PossibleCpus::read().unwrap();
    let mut usable = cpus.iter().filter(|&cpu| try_pin(0, cpu));
    let (Some(one), Some(other)) = (usable.next(), usable.next()) else { return skipped("there is one CPU") };
    let memory = vec![0usize; 2 * Region::<STRIDE>::range_size() / size_of::<usize>()].leak();
    let start = NonNull::from(&mut *memory).cast();
    // SAFETY: it was leaked, and no other region has it.
    let region = Region::<STRIDE>::with(unsafe { RegionOptions::new().memory(start, size_of_val(memory)) });
    let layout = Layout::from_size_align(STRIDE / 16, 8).unwrap();
    let take_all = || std::iter::from_fn(|| region.alloc(layout).ok()).take(1000).collect::<BTreeSet<_>>();
    try_pin(0, one);
    let first = take_all();
    assert!(first.len() >= 16);
    // SAFETY: they were allocated above.
    first.iter().for_each(|&item| unsafe { region.free(item, layout) });
    try_pin(0, other);
    let second = take_all();
    if !rseq_core::sys::membarrier_query().is_ok_and(rseq_core::sys::Commands::has_rseq) {
        return skipped("the kernel has no fence");
    }
    assert_eq!(second, first);
}
