//! Histograms, recorded from several threads and against a model.

use proptest::prelude::*;
use rseq_core::percpu::{Histogram, Snapshot};
use rseq_core::{ByCpu, ByMmCid, Index};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

mod affinity;
mod storm;

const THREADS: u64 = 8;
const TIMES: u64 = 5_000;

fn resets_lose_nothing<K: Index>() {
    let (histogram, done) = (Histogram::<160, K>::new(), AtomicBool::new(false));
    let mut all = thread::scope(|scope| {
        let resets = scope.spawn(|| {
            let mut all = Snapshot::new();
            while !done.load(Ordering::Relaxed) {
                all += histogram.reset();
            }
            all
        });
        storm::run(THREADS, |thread| {
            for time in 0..TIMES {
                histogram.record(time * (thread + 1));
                histogram.record_n(time, 3);
            }
        });
        done.store(true, Ordering::Relaxed);
        resets.join().unwrap()
    });
    all += histogram.reset();
    let alone = Histogram::<160, K>::new();
    for time in 0..TIMES {
        (1..=THREADS).for_each(|factor| alone.record(time * factor));
        alone.record_n(time, 3 * THREADS);
    }
    assert_eq!(all, alone.snapshot());
    assert_eq!(all.count(), THREADS * TIMES * 4);
    assert_eq!(histogram.snapshot().count(), 0);
}

#[test]
fn every_value_is_in_one_snapshot() {
    resets_lose_nothing::<ByCpu>();
    resets_lose_nothing::<ByMmCid>();
    storm::again_without_rseq("every_value_is_in_one_snapshot");
}

#[test]
fn it_displays_as_a_table() {
    let histogram = Histogram::<160>::new();
    histogram.record_n(7, 10);
    histogram.record_n(1000, 5);
    histogram.record(u64::MAX);
    let text = histogram.snapshot().to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], format!("{:>12} - {:>13} {:>12} {}", 7, 7, 10, "#".repeat(40)));
    assert_eq!(lines[1], format!("{:>12} - {:>13} {:>12} {}", 960, 1023, 5, "#".repeat(20)));
    assert!(lines[2].contains(" .. ") && lines[2].ends_with(" 1 ####"), "{}", lines[2]);
    assert_eq!(lines[3].trim(), "50 % <= 7");
    assert_eq!(lines[7].trim(), "count 16");
    assert!(lines.iter().all(|line| line.len() <= 100));
}

proptest! {
    #[test]
    fn quantiles_are_those_of_sorted_values(
        values in prop::collection::vec((any::<u64>(), 0u32..64), 0..200), percent in 0u32..=100
    ) {
        let histogram = Histogram::<{ Histogram::ALL }, ByCpu>::new();
        let mut sorted: Vec<u64> = values.into_iter().map(|(value, shift)| value >> shift).collect();
        sorted.iter().for_each(|&value| histogram.record(value));
        sorted.sort_unstable();
        let snapshot = histogram.snapshot();
        prop_assert_eq!(snapshot.count(), sorted.len() as u64);
        let quantile = snapshot.quantile(f64::from(percent) / 100.0);
        if sorted.is_empty() {
            prop_assert_eq!(quantile, None);
        } else {
            let place = (sorted.len() * percent as usize).div_ceil(100).max(1) - 1;
            prop_assert!(quantile.unwrap().contains(&sorted[place]));
            prop_assert!(snapshot.min().unwrap() <= sorted[0]);
            prop_assert!(snapshot.max().unwrap() >= *sorted.last().unwrap());
        }
    }
}
