//! A number that threads change under a lock.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use crossbeam_utils::CachePadded;
use rseq_core::percpu::{Lock, PossibleCpus};

use crate::{Case, Contender, Made, by_sections, expect, repeat, workload};

pub const CASE: Case = Case {
    name: "lock",
    operation: "takes a lock, adds 1 to what it protects, and releases it",
    contenders: &[
        Contender::ours("Lock", lock),
        Contender::peer("std Mutex per CPU", std_mutex_per_cpu),
        Contender::peer("parking_lot per CPU", parking_lot_per_cpu),
        Contender::peer("std Mutex", std_mutex),
        Contender::peer("parking_lot Mutex", parking_lot_mutex),
    ],
    goals: &[],
    threads: None,
};

/// The sum of what all locks protect.
fn sum(lock: &Lock<u64>) -> Result<u64> {
    Ok(lock.iter().map(|count| count.map(|count| *count)).sum::<Result<_, _>>()?)
}

fn lock() -> Made {
    static LOCK: Lock<u64> = Lock::new(|| 0);
    by_sections()?;
    let run = |_: &u64, operations| repeat(operations, || *LOCK.lock() += 1);
    workload(sum(&LOCK)?, run, |before, done| expect(sum(&LOCK)? - before, done))
}

/// As many of them as there are CPUs.
fn for_each_cpu<T>(make: impl Fn() -> T) -> Result<Vec<CachePadded<T>>> {
    let cpus = PossibleCpus::read()?;
    Ok((0..cpus.slots_by_cpu()).map(|_| CachePadded::new(make())).collect())
}

/// This CPU's.
fn here<T>(all: &[CachePadded<T>]) -> &T {
    // SAFETY: a function of C without a precondition; -1 for an error is no index of `all`.
    let cpu = unsafe { nix::libc::sched_getcpu() };
    &all[cpu as usize]
}

fn std_mutex_per_cpu() -> Made {
    let run = |all: &Vec<CachePadded<Mutex<u64>>>, operations| {
        repeat(operations, || *here(all).lock().unwrap_or_else(PoisonError::into_inner) += 1)
    };
    let sum = |all: &Vec<CachePadded<Mutex<u64>>>| -> u64 {
        all.iter().map(|count| *count.lock().unwrap_or_else(PoisonError::into_inner)).sum()
    };
    workload(for_each_cpu(|| Mutex::new(0))?, run, move |all, done| expect(sum(all), done))
}

fn parking_lot_per_cpu() -> Made {
    let run =
        |all: &Vec<CachePadded<parking_lot::Mutex<u64>>>, operations| repeat(operations, || *here(all).lock() += 1);
    let all = for_each_cpu(|| parking_lot::Mutex::new(0))?;
    workload(all, run, |all, done| expect(all.iter().map(|count| *count.lock()).sum(), done))
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
