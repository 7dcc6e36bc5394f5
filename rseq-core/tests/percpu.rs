//! The per-CPU types in a program of a libc's.

mod skipped;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use rseq_core::percpu::{IndexError, Node, PossibleCpus, PushError, SlotCounter, SlotPool, SlotStorage};
use rseq_core::{Area, Registration, ThreadArea, Token};
use skipped::skipped;

fn adopted() -> Option<Registration<ThreadArea>> {
    Registration::adopt().inspect_err(|error| skipped(error)).ok()
}

/// Runs `work` in twice as many threads as there are CPUs, until one of them returns true. False after 20 seconds.
fn busy(work: &(dyn Fn(Token<'_, ThreadArea>) -> bool + Sync)) -> bool {
    let (done, deadline) = (AtomicBool::new(false), Instant::now() + Duration::from_secs(20));
    let run = || {
        let registration = adopted().expect("main has a registration");
        while !done.load(Relaxed) && Instant::now() < deadline {
            if work(registration.token()) {
                done.store(true, Relaxed);
            }
        }
    };
    thread::scope(|scope| (0..2 * PossibleCpus::read().unwrap().count()).for_each(|_| drop(scope.spawn(run))));
    done.into_inner()
}

fn has_two_cpus() -> bool {
    let two = available_parallelism().is_ok_and(|cpus| cpus.get() > 1);
    if !two {
        skipped("with one CPU, every CPU has a slot");
    }
    two && adopted().is_some()
}

#[test]
fn an_index_without_a_slot_is_named() {
    if !has_two_cpus() {
        return;
    }
    let storage = SlotStorage::<1>::new();
    let counter = SlotCounter::new(storage.slots(&PossibleCpus::parse(b"0").unwrap()).unwrap());
    let (added, highest) = (AtomicUsize::new(0), PossibleCpus::read().unwrap().highest());
    let named = busy(&|token| match counter.add(token, 1) {
        Ok(()) => {
            added.fetch_add(1, Relaxed);
            false
        }
        Err(IndexError::NoSlot(cpu)) => {
            assert!((1..=highest).contains(&cpu), "CPU {cpu} has no slot");
            assert!(matches!(counter.increment(token), Ok(()) | Err(IndexError::NoSlot(1..))));
            true
        }
        Err(error) => panic!("{error}"),
    });
    assert!(named, "no thread ran on a CPU without a slot");
    // Threads that were between two CPUs may have incremented.
    assert!((added.load(Relaxed)..=added.load(Relaxed) + 16).contains(&counter.sum()));
}

#[test]
fn a_pool_names_an_index_without_a_list() {
    if !has_two_cpus() {
        return;
    }
    let mut heads = SlotStorage::<1>::new();
    let mut nodes = [const { Node::new(7u64) }; 4];
    let pool = SlotPool::new(&mut heads, &PossibleCpus::parse(b"0").unwrap(), &mut nodes).unwrap();
    let named = busy(&|token| match pool.pop(token) {
        Err(IndexError::NoSlot(1..)) => true,
        Err(error) => panic!("{error}"),
        Ok(None) => false,
        Ok(Some(mut item)) => {
            assert_eq!(*item, 7, "somebody else has the item");
            *item = 8;
            thread::yield_now();
            *item = 7;
            match pool.push(token, black_box(item)) {
                Ok(()) => false,
                Err((PushError::Index(IndexError::NoSlot(1..)), _)) => true,
                Err((error, _)) => panic!("{error}"),
            }
        }
    });
    assert!(named, "no thread ran on a CPU without a list");
}

/// Every CPU that a thread runs on has its share of the nodes.
#[test]
fn every_cpu_has_its_share_of_nodes() {
    const NODES: usize = 128;
    let Some(_) = adopted() else { return };
    let cpus = PossibleCpus::read().unwrap();
    let mut heads = SlotStorage::<1024>::new();
    let mut nodes = [const { Node::new(0u8) }; NODES];
    let pool = SlotPool::new(&mut heads, &cpus, &mut nodes).unwrap();
    let share = NODES / cpus.count() as usize;
    let popped = AtomicUsize::new(0);
    let found = busy(&|token| {
        while let Some(item) = pool.pop(token).unwrap() {
            // Dropped: it is in no list any more.
            black_box(*item);
            popped.fetch_add(1, Relaxed);
        }
        popped.load(Relaxed) >= share * available_parallelism().map_or(1, usize::from)
    });
    assert!(found, "{} of {NODES} nodes could be popped", popped.into_inner());
}

#[test]
fn copies_of_a_counter_count_together() {
    let Some(registration) = adopted() else { return };
    static STORAGE: SlotStorage<1024> = SlotStorage::new();
    let cpus = PossibleCpus::read().unwrap();
    let (one, other) =
        (SlotCounter::new(STORAGE.slots(&cpus).unwrap()), SlotCounter::new(STORAGE.slots(&cpus).unwrap()));
    add(one, registration.token(), 3);
    add(other, registration.token(), 4);
    assert_eq!((one.sum(), other.sum()), (7, 7));
}

fn add<A: Area>(counter: SlotCounter<'_>, token: Token<'_, A>, count: usize) {
    counter.add(token, count).expect("every possible CPU has a slot");
}
