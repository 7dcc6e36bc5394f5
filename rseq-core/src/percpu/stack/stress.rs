//! Threads that push, pop and move between CPUs under signals, one of them without rseq, while another one drains and
//! resizes their arrays.

extern crate std;

use super::arrays::Arrays;
use super::class::Class;
use super::stack_slot::MakeFence;
use super::{Batch, stack_sections};
use crate::affinity::{allowed, pin};
use crate::percpu::RemoteError;
use crate::percpu::fence::fence_index;
use crate::percpu::memory::STRIDE;
use crate::percpu::test_machine::can_drain;
use crate::{Ambient, Area, ByCpu, ByMmCid, Index, Registration, abi, arch, sys};
use linux_raw_sys::general::{__NR_getpid, __NR_gettid, __NR_tgkill};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use std::vec::Vec;

const THREADS: usize = 8;
const CAPACITY: usize = 28;
const CLASS: Class = Class::new(0, 0, CAPACITY);
const TOKENS: usize = 20 * THREADS;

type TestArrays<K> = Arrays<usize, 1, CAPACITY, K>;

static BY_CPU: TestArrays<ByCpu> = Arrays::new();
static BY_MM_CID: TestArrays<ByMmCid> = Arrays::new();

/// What signal handlers have popped and not pushed again: tokens plus 1.
static STASH: [AtomicUsize; TOKENS] = [const { AtomicUsize::new(0) }; TOKENS];

/// Signals that were handled.
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

/// One storm at a time.
static RUNS: Mutex<()> = Mutex::new(());

const SIGWINCH: i32 = 28;

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

/// Uses the arrays in whatever it interrupts.
extern "C" fn on_signal(_: i32) {
    SIGNALS.fetch_add(1, Relaxed);
    pop_and_push(&BY_CPU);
    pop_and_push(&BY_MM_CID);
}

fn pop_and_push<K: Index>(arrays: &TestArrays<K>) {
    let Some(token) = arrays.pop(CLASS) else { return };
    if arrays.push(CLASS, token).is_err() {
        STASH.iter().find(|place| place.compare_exchange(0, token + 1, Relaxed, Relaxed).is_ok());
    }
}

/// Runs the storm for some time, and returns the tokens that are there at its end, in order, and how many were drained.
fn storm<K: Index>(arrays: &'static TestArrays<K>, fence: MakeFence, time: Duration) -> (Vec<usize>, usize) {
    let _one = RUNS.lock().unwrap();
    // SAFETY: the handler uses atomics and arrays only.
    unsafe { signal(SIGWINCH, on_signal) };
    let (done, tids) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; THREADS]);
    let (mut tokens, drained) = thread::scope(|scope| {
        let done = &done;
        let users: Vec<_> = (0..THREADS)
            .map(|number| {
                let tid = &tids[number];
                scope.spawn(move || use_arrays(arrays, number, tid, done))
            })
            .collect();
        scope.spawn(|| interrupt(&tids, done));
        let (mut tokens, drained) = drain_and_resize(arrays, fence, Instant::now() + time);
        done.store(true, Relaxed);
        users.into_iter().for_each(|user| tokens.extend(user.join().unwrap()));
        (tokens, drained)
    });
    arrays.evict_all(CLASS, |token| tokens.push(token)).unwrap();
    tokens.extend(STASH.iter().filter_map(|place| place.swap(0, Relaxed).checked_sub(1)));
    tokens.sort_unstable();
    (tokens, drained)
}

/// Pushes and pops at random what it has, alone and in batches, and returns what it has at the end.
fn use_arrays<K: Index>(arrays: &TestArrays<K>, number: usize, tid: &AtomicUsize, done: &AtomicBool) -> Vec<usize> {
    tid.store(call(__NR_gettid), Relaxed);
    if number == 0 {
        unregister();
    }
    let mut mine: Vec<_> = (0..TOKENS / THREADS).map(|token| token * THREADS + number).collect();
    let (mut random, cpus) = (Random(number as u64 + 1), allowed());
    while !done.load(Relaxed) {
        match random.below(32) {
            0 => pin(cpus[random.below(cpus.len())]),
            1..4 => {
                let mut batch = Batch::<usize, 16>::new();
                while let Some(token) = mine.pop() {
                    if let Err(full) = batch.push(token) {
                        mine.push(full.0);
                        break;
                    }
                }
                arrays.push_batch(CLASS, &mut batch);
                mine.extend(core::iter::from_fn(|| batch.pop()));
            }
            4..7 => {
                let mut batch = Batch::<usize, 16>::new();
                arrays.pop_batch(CLASS, &mut batch);
                mine.extend(core::iter::from_fn(|| batch.pop()));
            }
            7..20 => mine.extend(arrays.pop(CLASS)),
            _ => {
                if let Some(token) = mine.pop() {
                    mine.extend(arrays.push(CLASS, token).err().map(|full| full.0));
                }
            }
        }
    }
    tid.store(0, Relaxed);
    mine
}

/// Drains and resizes the arrays in turn, and gives back what it finds.
fn drain_and_resize<K: Index>(arrays: &TestArrays<K>, fence: MakeFence, end: Instant) -> (Vec<usize>, usize) {
    let (mut mine, mut drained, mut random) = (Vec::new(), 0, Random(77));
    let indices = allowed();
    while Instant::now() < end {
        for &index in &indices {
            let result = match random.below(4) {
                0 => arrays.resize_by(fence, CLASS, index, random.below(CAPACITY + 1), |token| mine.push(token)),
                _ => arrays.evict_by(fence, CLASS, index, |token| mine.push(token)),
            };
            match result {
                Ok(count) => drained += count,
                // A thread that opens it, and is not running.
                Err(RemoteError::Busy) => {}
                Err(error) => panic!("{error}"),
            }
            while let Some(token) = mine.pop() {
                if arrays.push(CLASS, token).is_err() {
                    mine.push(token);
                    break;
                }
            }
        }
    }
    (mine, drained)
}

/// Sends signals to the threads that run.
fn interrupt(tids: &[AtomicUsize], done: &AtomicBool) {
    let process = call(__NR_getpid);
    while !done.load(Relaxed) {
        for tid in tids.iter().map(|tid| tid.load(Relaxed)).filter(|&tid| tid != 0) {
            // SAFETY: the signal has a handler; a thread that has ended is an error.
            let _ = unsafe { sys::syscall(__NR_tgkill, [process, tid, SIGWINCH as usize, 0, 0, 0]) };
        }
        thread::sleep(Duration::from_micros(200));
    }
}

/// A number of the thread's own.
fn call(number: u32) -> usize {
    // SAFETY: gettid and getpid, which touch no memory.
    unsafe { sys::syscall(number, [0; 6]) }.unwrap()
}

/// Ends the registration of this thread, whose operations use the shared array from now on.
fn unregister() {
    let Ok(registration) = Registration::adopt() else { return };
    let area = registration.token().area().pointer().as_ptr();
    let lengths = [abi::ORIGINAL_SIZE, 33, 64, 40];
    // SAFETY: this thread is in no section, and its libc has none.
    let is_released =
        lengths.into_iter().any(|len| unsafe { sys::rseq(area, len, abi::FLAG_UNREGISTER, arch::SIGNATURE) }.is_ok());
    assert!(is_released && !Ambient::token().is_registered(), "no length releases the libc's registration");
}

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % limit
    }
}

/// Repeats a storm of a second until enough has happened, which takes more than one on a machine with other load.
fn each_is_there_once<K: Index>(arrays: &'static TestArrays<K>) {
    const ROUNDS: usize = 60;
    if !can_drain() {
        return;
    }
    let (before, mut drained) = (SIGNALS.load(Relaxed), 0);
    for _ in 0..ROUNDS {
        let (tokens, count) = storm(arrays, fence_index::<K>, Duration::from_secs(1));
        assert_eq!(tokens, (0..TOKENS).collect::<Vec<_>>());
        drained += count;
        if drained > TOKENS && SIGNALS.load(Relaxed) > before + 100 {
            return;
        }
    }
    panic!("{drained} of {TOKENS} tokens were drained, {} signals came", SIGNALS.load(Relaxed) - before);
}

#[test]
fn every_item_is_there_once() {
    each_is_there_once(&BY_CPU);
}

#[test]
fn every_item_is_there_once_by_mm_cid() {
    each_is_there_once(&BY_MM_CID);
}

/// What a thread finds that interrupts another one between the two steps by which that opens a fresh array.
#[test]
fn an_array_that_is_being_opened_has_no_items() {
    let arrays = TestArrays::<ByCpu>::new();
    let cpu = allowed()[0];
    pin(cpu);
    if !can_drain() {
        return;
    }
    assert_eq!(arrays.pop(CLASS), None);
    let slot = arrays.slot(CLASS, cpu).unwrap();
    let mut held = slot.hold().unwrap();
    let set = arrays.run(CLASS, |token, base, len| {
        // SAFETY: an array of this CPU, which is closed, and held by this thread.
        unsafe { stack_sections::set_top::<STRIDE, _, _>(token, base, len, cpu as usize, held.top()) }
    });
    assert!(set.flatten().is_some());
    let mut batch = Batch::<usize, 4>::new();
    assert_eq!((arrays.pop(CLASS), arrays.pop_batch(CLASS, &mut batch), slot.len()), (None, 0, 0));
    held.open();
    drop(held);
    assert_eq!((arrays.push(CLASS, 7), arrays.pop(CLASS), arrays.pop(CLASS)), (Ok(()), Some(7), None));
}

/// The control: the same without a fence.
#[test]
fn items_are_lost_or_doubled_without_a_fence() {
    let has_two_cpus = allowed().len() > 1;
    if can_drain() && has_two_cpus {
        let all: Vec<_> = (0..TOKENS).collect();
        let is_wrong = (0..20).any(|_| storm(&BY_CPU, |_| Ok(()), Duration::from_millis(500)).0 != all);
        assert!(is_wrong, "no item was lost or doubled");
    }
}
