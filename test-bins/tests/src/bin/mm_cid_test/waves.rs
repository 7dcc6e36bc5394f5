//! Threads, children by fork and children by vfork that come and go, so that the number of a process's threads crosses
//! the number of its CPUs again and again. Linux since 6.19 hands out IDs in another way above that number than below
//! it, and had faults in the change until 7.1.3.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use harness::index::{ByMmCid, Choice};
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::options::Options;
use harness::slots::{STRIDE, Slots};
use harness::sys::process::{Ending, in_child};
use harness::sys::time::{Deadline, SECOND};
use harness::sys::vfork::vfork;
use harness::sys::{cpu, process};
use harness::{ensure, note};
use rseq_core::ops::this_cpu;
use rseq_core::percpu::PossibleCpus;

/// The most threads of a wave.
const MOST: u32 = 32;

/// Additions that a thread of a wave makes at a time: some tens of microseconds, in which it would lose counts to
/// another thread with the same ID.
const ADDITIONS: usize = 10_000;

/// What comes and goes beside threads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum With {
    Threads,
    Forks,
    Vforks,
}

/// What the threads of all waves found.
#[derive(Default)]
struct Found {
    threads: AtomicUsize,
    added: AtomicUsize,
    children: AtomicUsize,
    /// Threads that were not registered, or had an ID beyond the slots.
    broken: AtomicUsize,
    /// Children that did not end as they should have.
    astray: AtomicUsize,
    highest: AtomicUsize,
}

/// Waves of threads until the deadline.
pub fn test(options: &Options, with: With) -> Verdict {
    let slots = Slots::new().or_fail("memory for the slots")?;
    let found = Found::default();
    let deadline = Deadline::after(options.nanoseconds / 2);
    let largest = largest_wave()?;
    let mut waves = 0;
    while !deadline.is_past() || waves < 3 {
        wave(size(waves, largest), with, &slots, &found).or_fail("a thread")?;
        waves += 1;
    }
    judge(waves, largest, &slots, &found)
}

/// Each size up to the largest, in turn a small one and a large one, so that each wave crosses the number of CPUs.
fn size(wave: u32, largest: u32) -> u32 {
    let step = wave % largest;
    if step.is_multiple_of(2) { 1 + step / 2 } else { largest - step / 2 }
}

/// Twice the CPUs, and one.
fn largest_wave() -> Result<u32, Unmet> {
    Ok((2 * cpu::affinity(0).or_fail("sched_getaffinity")?.count() + 1).min(MOST))
}

fn wave(threads: u32, with: With, slots: &Slots, found: &Found) -> Result<(), rseq_core::sys::Errno> {
    rseq_rt::thread::scope(|scope| {
        for index in 0..threads {
            scope.spawn(move || {
                count(&found.threads);
                add(slots, found);
                child(index, with, found);
                add(slots, found);
            })?;
        }
        add(slots, found);
        Ok(())
    })
}

/// Adds to the slots of whichever IDs this thread has meanwhile.
fn add(slots: &Slots, found: &Found) {
    let Some(token) = rseq_rt::current().and_then(|token| ByMmCid::of(token).ok()) else { return count(&found.broken) };
    let (base, len) = (slots.base(), slots.count());
    for done in 0..ADDITIONS {
        // SAFETY: the slots have `len` words that lie STRIDE bytes apart.
        if unsafe { this_cpu::inc::<STRIDE, _, _>(token, base, len) }.is_err() {
            found.added.fetch_add(done, Relaxed);
            return count(&found.broken);
        }
        found.highest.fetch_max(token.slot() as usize, Relaxed);
    }
    found.added.fetch_add(ADDITIONS, Relaxed);
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Relaxed);
}

/// A child of every other thread, if there are to be any.
fn child(index: u32, with: With, found: &Found) {
    if with == With::Threads || index % 2 == 1 {
        return;
    }
    let is_right = match with {
        With::Threads => true,
        With::Forks => in_child(60 * SECOND, &mut || u8::from(!own_storm())) == Ok(Ending::Exited(0)),
        // SAFETY: the body returns at once, and changes nothing.
        With::Vforks => match unsafe { vfork(nothing) } {
            Some(Ok(pid)) => matches!(process::wait_thread(pid), Ok(Ending::Exited(0))),
            Some(Err(_)) => false,
            None => true,
        },
    };
    count(&found.children);
    if !is_right {
        count(&found.astray);
    }
}

extern "C" fn nothing() -> u8 {
    0
}

/// A child's own threads, in separate slots: its address space has its own IDs.
fn own_storm() -> bool {
    let (Ok(slots), Ok(largest)) = (Slots::new(), largest_wave()) else { return false };
    let found = Found::default();
    let is_run = [1, largest].into_iter().all(|threads| wave(threads, With::Threads, &slots, &found).is_ok());
    is_run && slots.sum() == found.added.load(Relaxed) && found.broken.load(Relaxed) == 0
}

fn judge(waves: u32, largest: u32, slots: &Slots, found: &Found) -> Verdict {
    let possible = PossibleCpus::read().or_fail("the possible CPUs")?.slots_by_mm_cid();
    let [threads, children, broken, astray] =
        [&found.threads, &found.children, &found.broken, &found.astray].map(|count| count.load(Relaxed));
    let (added, highest, there) = (found.added.load(Relaxed), found.highest.load(Relaxed), slots.sum());
    note!(
        "{waves} waves of 1 to {largest} threads: {threads} threads, {children} children, {added} added, \
         highest ID {highest}"
    );
    ensure!(there == added, "{added} added, {there} found: two threads had one ID at the same time");
    ensure!(broken == 0, "{broken} threads were not registered, or had an ID beyond the slots");
    ensure!(astray == 0, "{astray} of {children} children did not end as they should have");
    ensure!(highest < possible, "mm_cid {highest} with {possible} possible CPUs");
    Ok(())
}
