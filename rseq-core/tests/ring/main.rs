//! Rings under unrest: threads that are moved, that get signals whose handler writes too, and that have no
//! registration.

#[path = "../affinity/mod.rs"]
mod affinity;
#[path = "../skipped/mod.rs"]
mod skipped;
mod unrest;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use rseq_core::percpu::{Record, Ring, RingTotals};
use rseq_core::{ByCpu, ByMmCid, Index, Status, status};
use skipped::skipped;
use unrest::Pest;
use writer::{Ways, Writer};

const PRODUCERS: usize = 8;

/// The producers from this number on have no registration.
const UNREGISTERED: usize = 6;

/// What the consumer has seen.
#[derive(Default)]
struct Seen {
    records: u64,
    of_handlers: u64,
    without_sections: u64,
    /// The number of the last record, by index and writer.
    last: HashMap<(Option<u32>, usize), usize>,
}

impl Seen {
    fn check(&mut self, record: Record<'_>) {
        let (who, number) = (record.words()[0], record.words()[1]);
        assert!(writer::is_whole(who, number, record.bytes()), "torn: {record:x?}");
        if let Some(last) = self.last.insert((record.index(), who), number) {
            assert!(last < number, "writer {who}: {number} after {last} in the ring of {:?}", record.index());
        }
        self.records += 1;
        self.of_handlers += u64::from(who >= PRODUCERS);
        self.without_sections += u64::from(record.index().is_none());
    }
}

/// Eight threads write so many records each, one thread reads them.
fn storm<K: Index + Sync>(ring: &'static Ring<K>, ways: Ways, times: usize) -> (RingTotals, Seen) {
    let (pest, running) = (Pest::default(), AtomicUsize::new(PRODUCERS));
    let writers: &'static [Writer] = Vec::leak((0..2 * PRODUCERS).map(Writer::new).collect());
    let mut seen = Seen::default();
    unrest::handle(writer::write_in_handler);
    thread::scope(|scope| {
        for nth in 0..PRODUCERS {
            let (pest, running) = (&pest, &running);
            scope.spawn(move || {
                if nth >= UNREGISTERED && !unrest::take_registration() {
                    skipped("a thread without registration");
                }
                writer::with_handler(ring, &writers[PRODUCERS + nth], || {
                    pest.enlist(nth);
                    writers[nth].write(ring, ways, times);
                    pest.discharge(nth);
                });
                running.fetch_sub(1, Relaxed);
            });
        }
        let pest = &pest;
        let _end = pest.until_dropped();
        scope.spawn(move || pest.run());
        let mut consumer = ring.consumer().expect("the only one");
        while running.load(Relaxed) != 0 {
            consumer.read(|record| seen.check(record));
        }
    });
    ring.consumer().expect("the only one").read(|record| seen.check(record));
    (check_totals(ring.totals(), writers, &seen), seen)
}

/// Every record is counted once.
fn check_totals(totals: RingTotals, writers: &[Writer], seen: &Seen) -> RingTotals {
    let sum = |count: fn(&Writer) -> u64| writers.iter().map(count).sum::<u64>();
    assert_eq!(totals.read, seen.records);
    assert_eq!(totals.dropped, sum(Writer::dropped));
    assert_eq!(totals.abandoned, sum(Writer::abandoned));
    assert_eq!(totals.read + totals.overwritten, sum(Writer::written));
    assert!(seen.of_handlers > 0, "no handler has written");
    if let Status::On(_) = status() {
        assert!(seen.last.keys().any(|(index, _)| index.is_some()), "no section has written");
    }
    println!("{totals:?}: {} by handlers, {} without sections", seen.of_handlers, seen.without_sections);
    totals
}

#[test]
fn a_ring_that_drops_counts_every_record() {
    static RING: Ring = Ring::new(64 << 10);
    let (totals, _) = storm(&RING, Ways::All, 10_000);
    assert!(totals.overwritten == 0 && totals.abandoned > 0, "{totals:?}");
}

#[test]
fn a_tiny_ring_that_drops_counts_every_record() {
    static RING: Ring<ByMmCid> = Ring::new(0);
    let (totals, _) = storm(&RING, Ways::All, 10_000);
    assert!(totals.overwritten == 0 && totals.dropped > 0, "{totals:?}");
}

#[test]
fn a_ring_that_overwrites_counts_every_record() {
    static RING: Ring = Ring::overwriting(4096);
    let (totals, _) = storm(&RING, Ways::All, 10_000);
    assert!(totals.overwritten > 0, "{totals:?}");
}

#[test]
fn a_tiny_ring_that_overwrites_drops_nothing() {
    static RING: Ring<ByCpu> = Ring::overwriting(0);
    let (totals, _) = storm(&RING, Ways::Pushes, 10_000);
    assert!(totals.overwritten > 0 && totals.dropped == 0, "{totals:?}");
}
