//! Counters, gauges, the highest and the lowest value, histograms.

use crate::in_threads;
use rseq_core::percpu::{Gauge, Histogram, Max, Min, Snapshot};
use rseq_core::{ByMmCid, percpu_counters};

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
