//! The cells for words of 32 bits, with words of any size: small ones, so that they are moved all the time.

extern crate std;

#[cfg(target_pointer_width = "64")]
#[path = "narrow.rs"]
mod narrow;
#[cfg(not(target_pointer_width = "64"))]
use super::cells as narrow;

use super::shared_word;
use crate::{ByCpu, ByMmCid, Index, Status, status};
use narrow::{Cells, HALF};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

const THREADS: u64 = 8;

fn is_on() -> bool {
    matches!(status(), Status::On(_))
}

/// Counts that only grow, by steps of which some are too large for a word and some fill one in four additions.
fn grows<K: Index>(times: u64) {
    let (cells, done) = (Cells::<3, K>::new(), AtomicBool::new(false));
    let (begun, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    let step = |time: u64| if time.is_multiple_of(64) { HALF as u64 * 3 } else { time % (HALF as u64 / 2) };
    thread::scope(|scope| {
        let read = || {
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let least = ended.load(Ordering::SeqCst);
                let [sum] = cells.sums(1);
                let most = begun.load(Ordering::SeqCst);
                assert!((least..=most).contains(&sum), "{sum} is not from {least} to {most}");
                assert!(sum >= last, "{sum} after {last}");
                last = sum;
            }
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        let add = || {
            for time in 0..times {
                begun.fetch_add(step(time), Ordering::SeqCst);
                cells.add(1, step(time));
                ended.fetch_add(step(time), Ordering::SeqCst);
            }
        };
        let writers: std::vec::Vec<_> = (0..THREADS).map(|_| scope.spawn(add)).collect();
        let results: std::vec::Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok) && readers.map(|reader| reader.join().is_ok()) == [true; 2]);
    });
    assert_eq!(cells.sums(0), [0, THREADS * (0..times).map(step).sum::<u64>(), 0]);
    assert!(!is_on() || cells.moves() > 1000, "{} moves", cells.moves());
}

#[test]
fn sums_are_between_what_ended_and_what_began() {
    grows::<ByCpu>(5_000);
    grows::<ByMmCid>(5_000);
}

#[test]
fn words_stay_small() {
    let cells = Cells::<1, ByCpu>::new();
    for count in [HALF - 1, 1, HALF - 1, HALF - 1, -HALF, -HALF, -HALF, -1, HALF, -HALF - 1] {
        let [before] = cells.sums(0);
        cells.add(0, count as u64);
        assert_eq!(cells.sums(0), [before.wrapping_add(count as u64)]);
    }
    assert!(!is_on() || cells.moves() > 0);
}

proptest! {
    #[test]
    fn counts_are_those_of_a_model(counts in vec((0usize..4, any::<i64>(), 0u32..64), 0..200)) {
        let cells = Cells::<4, ByCpu>::new();
        let mut model = [0u64; 4];
        for (cell, count, shift) in counts {
            let count = (count >> shift) as u64;
            cells.add(cell, count);
            model[cell] = model[cell].wrapping_add(count);
            prop_assert_eq!(cells.sums(0), model);
        }
        prop_assert_eq!(cells.sums(1), [model[1], model[2]]);
    }
}
