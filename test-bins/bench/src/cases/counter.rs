//! A count that every thread adds to.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use crossbeam_utils::CachePadded;
use fast_counter::ConcurrentCounter;
use rseq_core::ops::this_cpu;
use rseq_core::percpu::{Counter, PossibleCpus, SlotCounter, SlotStorage, Slots};
use rseq_core::{ByMmCid, Index, Registration};

use crate::{Case, Contender, Goal, Made, by_sections, expect, repeat, try_repeat, workload};

pub const CASE: Case = Case {
    name: "counter",
    operation: "adds 1 to a count that any thread can sum up",
    contenders: &[
        Contender::ours("Counter", counter),
        Contender::ours("Counter by mm_cid", counter_by_mm_cid),
        Contender::ours("percpu_counters!", member),
        Contender::ours("SlotCounter, token", slot_counter),
        Contender::ours("section in registers", section),
        Contender::peer("AtomicU64, shared", atomic),
        Contender::peer("AtomicU64 per CPU", atomic_per_cpu),
        Contender::peer("std Mutex", std_mutex),
        Contender::peer("parking_lot Mutex", parking_lot_mutex),
        Contender::peer("thread_local, registry", registry),
        Contender::peer("fast-counter", sharded),
        Contender::peer("thread_local, no sum", floor),
    ],
    goals: &[
        Goal::times("Counter", 1, 1.15, "section in registers"),
        Goal::times("Counter", 1, 0.5, "AtomicU64, shared"),
        Goal::times("Counter", 2, 0.2, "AtomicU64, shared"),
        Goal::times("Counter", 2, 1.5, "thread_local, registry"),
    ],
    threads: None,
};

fn counter() -> Made {
    static COUNT: Counter = Counter::new();
    from_zero(&COUNT, |operations| repeat(operations, || COUNT.inc()))
}

fn counter_by_mm_cid() -> Made {
    static COUNT: Counter<ByMmCid> = Counter::new();
    let registration = Registration::adopt()?;
    registration.token().by_mm_cid().context("this kernel has no concurrency IDs (6.3)")?;
    from_zero(&COUNT, |operations| repeat(operations, || COUNT.inc()))
}

fn member() -> Made {
    rseq_core::percpu_counters! {
        static GROUP: { first, second, third }
    }
    by_sections()?;
    let run = |_: &u64, operations| repeat(operations, || GROUP.second.inc());
    workload(GROUP.second.sum(), run, |before, done| expect(GROUP.second.sum() - before, done))
}

/// A workload that counts on from where `count` is.
fn from_zero<K: Index>(count: &'static Counter<K>, run: impl Fn(u64) -> Result<()> + Sync + 'static) -> Made
where
    Counter<K>: Sync,
{
    by_sections()?;
    workload(count.sum(), move |_, operations| run(operations), |before, done| expect(count.sum() - before, done))
}

/// Slots for this machine.
fn slots() -> Result<Slots<'static>> {
    let cpus = PossibleCpus::read()?;
    let storage = Box::leak(Box::new(SlotStorage::<1024>::new()));
    Ok(storage.slots(&cpus)?)
}

fn slot_counter() -> Made {
    Registration::adopt()?;
    let run = |counter: &SlotCounter<'_>, operations| {
        let registration = Registration::adopt()?;
        let token = registration.token();
        try_repeat(operations, || Ok(counter.increment(token)?))
    };
    workload(SlotCounter::new(slots()?), run, |counter, done| expect(counter.sum() as u64, done))
}

/// The section alone: what it needs stays in registers.
fn section() -> Made {
    Registration::adopt()?;
    let run = |slots: &Slots<'static>, operations| {
        let registration = Registration::adopt()?;
        let token = registration.token();
        let (base, len) = (slots.as_ptr(), slots.len());
        try_repeat(operations, || {
            // SAFETY: `base` is the first of `len` slots of 64 bytes, each beginning with an atomic word that lives for
            // 'static: `Slots` holds them.
            unsafe { this_cpu::inc::<64, _, _>(token, base, len) }?;
            Ok(())
        })
    };
    workload(slots()?, run, |slots, done| expect(SlotCounter::new(*slots).sum() as u64, done))
}

fn atomic() -> Made {
    let run = |count: &AtomicU64, operations| repeat(operations, || count.fetch_add(1, Relaxed));
    workload(AtomicU64::new(0), run, |count, done| expect(count.load(Relaxed), done))
}

fn atomic_per_cpu() -> Made {
    let cpus = PossibleCpus::read()?;
    let counts: Vec<_> = (0..cpus.slots_by_cpu()).map(|_| CachePadded::new(AtomicU64::new(0))).collect();
    let run = |counts: &Vec<CachePadded<AtomicU64>>, operations| {
        repeat(operations, || {
            // SAFETY: a function of C without a precondition; -1 for an error is no index of `counts`.
            let cpu = unsafe { nix::libc::sched_getcpu() };
            counts[cpu as usize].fetch_add(1, Relaxed);
        })
    };
    workload(counts, run, |counts, done| expect(counts.iter().map(|count| count.load(Relaxed)).sum(), done))
}

fn std_mutex() -> Made {
    let run = |count: &Mutex<u64>, operations| {
        repeat(operations, || *count.lock().unwrap_or_else(PoisonError::into_inner) += 1)
    };
    let check = |count: &Mutex<u64>, done| expect(*count.lock().unwrap_or_else(PoisonError::into_inner), done);
    workload(Mutex::new(0), run, check)
}

fn parking_lot_mutex() -> Made {
    let run = |count: &parking_lot::Mutex<u64>, operations| repeat(operations, || *count.lock() += 1);
    workload(parking_lot::Mutex::new(0), run, |count, done| expect(*count.lock(), done))
}

/// The counts of all threads that ever added.
static REGISTRY: parking_lot::Mutex<Vec<Arc<AtomicU64>>> = parking_lot::Mutex::new(Vec::new());

thread_local! {
    /// Only its own thread writes it, so that it needs no atomic addition.
    static OWN: Arc<AtomicU64> = {
        let own = Arc::new(AtomicU64::new(0));
        REGISTRY.lock().push(own.clone());
        own
    };
}

fn sum_of_threads() -> u64 {
    REGISTRY.lock().iter().map(|count| count.load(Relaxed)).sum()
}

fn registry() -> Made {
    let run = |_: &u64, operations| repeat(operations, || OWN.with(|own| own.store(own.load(Relaxed) + 1, Relaxed)));
    workload(sum_of_threads(), run, |before, done| expect(sum_of_threads() - before, done))
}

fn sharded() -> Made {
    let counter = ConcurrentCounter::new(available_parallelism().map_or(1, usize::from));
    let run = |counter: &ConcurrentCounter, operations| repeat(operations, || counter.add(1));
    workload(counter, run, |counter, done| expect(counter.sum() as u64, done))
}

thread_local! {
    static UNSUMMED: Cell<u64> = const { Cell::new(0) };
}

/// What no counter of many threads can beat. Each thread accounts for its additions at the end of a round.
fn floor() -> Made {
    let run = |all: &AtomicU64, operations| {
        let before = UNSUMMED.get();
        repeat(operations, || UNSUMMED.set(UNSUMMED.get() + 1))?;
        all.fetch_add(UNSUMMED.get() - before, Relaxed);
        Ok(())
    };
    workload(AtomicU64::new(0), run, |all, done| expect(all.load(Relaxed), done))
}
