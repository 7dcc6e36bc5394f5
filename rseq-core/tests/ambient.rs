//! Per-CPU data without a token, from threads without preparation.

use rseq_core::percpu::Counter;
use rseq_core::{ByMmCid, Status, status};
use std::thread;

const THREADS: u64 = 8;
const TIMES: u64 = 100_000;

static BY_CPU: Counter = Counter::new();
static BY_MM_CID: Counter<ByMmCid> = Counter::new();

#[test]
fn counts_are_exact() {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for count in 0..TIMES {
                    BY_CPU.add(count);
                    BY_CPU.inc();
                    BY_CPU.sub(1);
                    BY_MM_CID.add(count);
                }
            });
        }
    });
    let sum = THREADS * TIMES * (TIMES - 1) / 2;
    assert_eq!((BY_CPU.sum(), BY_MM_CID.sum()), (sum, sum));
}

#[test]
fn a_reset_loses_nothing() {
    let counter = Counter::<rseq_core::ByCpu>::new();
    let (mut taken, mut last) = (0, 0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..TIMES).for_each(|_| counter.inc()));
        }
        for _ in 0..1000 {
            last = counter.reset();
            taken += last;
        }
    });
    assert_eq!(taken + counter.sum(), THREADS * TIMES);
    assert!(last < THREADS * TIMES, "one reset took all of it: {}", status());
}

#[test]
fn counts_of_64_bits_wrap_around() {
    let counter = Counter::<rseq_core::ByCpu>::new();
    counter.sub(1);
    assert_eq!(counter.sum(), u64::MAX);
    for count in [u64::from(u32::MAX), 1 << 30, 1 << 31, 1 << 62] {
        counter.add(count);
        counter.add(count);
    }
    let sum = (u64::from(u32::MAX) + (1 << 30) + (1 << 31) + (1 << 62)).wrapping_mul(2).wrapping_sub(1);
    assert_eq!(counter.sum(), sum);
}

#[test]
fn memory_is_used_again() {
    let address = || {
        let counter = Counter::<rseq_core::ByCpu>::new();
        counter.add(7);
        assert_eq!(counter.sum(), 7);
        format!("{counter:?}")
    };
    let addresses: Vec<_> = (0..1000).map(|_| address()).collect();
    if let Status::On(_) = status() {
        let distinct: std::collections::BTreeSet<_> = addresses.iter().collect();
        assert!(distinct.len() < 100, "{} of 1000 are new", distinct.len());
    }
}
