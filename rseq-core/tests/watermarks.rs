//! Gauges, and the highest and lowest values.

use proptest::prelude::*;
use rseq_core::percpu::{Gauge, Max, Min};
use rseq_core::{ByCpu, ByMmCid, Index};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

mod affinity;
mod storm;

const THREADS: u64 = 8;
const TIMES: u64 = 10_000;

fn rises_and_falls<K: Index>() {
    let gauge = Gauge::<K>::new();
    storm::run(THREADS, |thread| {
        for time in 0..TIMES as i64 {
            gauge.inc();
            gauge.add(time);
            gauge.sub(time + 1);
            gauge.dec();
            gauge.add(thread as i64);
        }
    });
    assert_eq!(gauge.value(), TIMES as i64 * (THREADS * (THREADS - 1) / 2 - THREADS) as i64);
}

#[test]
fn a_gauge_is_exact() {
    rises_and_falls::<ByCpu>();
    rises_and_falls::<ByMmCid>();
    storm::again_without_rseq("a_gauge_is_exact");
}

const ROUNDS: usize = 500;

/// A value that is recorded while another thread resets is in that reset or in the next one.
fn a_reset_loses_nothing<K: Index>() {
    let (max, min) = (Max::<K>::new(), Min::<K>::new());
    let (begun, recorded) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let until = |word: &AtomicUsize, round| {
        while word.load(Ordering::Acquire) < round {
            thread::yield_now();
        }
    };
    let mut lost = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                max.record(1);
                min.record(1 << 40);
                until(&begun, round);
                max.record(round as u64 + 1);
                min.record(round as u64 + 1);
                recorded.store(round, Ordering::Release);
            }
        });
        for round in 1..=ROUNDS {
            begun.store(round, Ordering::Release);
            let (highest, lowest) = (max.reset(), min.reset());
            until(&recorded, round);
            let expected = round as u64 + 1;
            // The thread may have begun the next round.
            lost += usize::from(highest.max(max.reset()) != expected);
            lost += usize::from(lowest.min(min.reset()) != expected);
        }
    });
    assert_eq!(lost, 0, "values were lost");
}

#[test]
fn a_reset_takes_what_is_recorded_meanwhile() {
    a_reset_loses_nothing::<ByCpu>();
    a_reset_loses_nothing::<ByMmCid>();
    storm::again_without_rseq("a_reset_takes_what_is_recorded_meanwhile");
}

static INTERRUPTED: Max = Max::new();
static INTERRUPTED_BY_MM_CID: Max<ByMmCid> = Max::new();
static SIGNALS: AtomicUsize = AtomicUsize::new(0);
const HIGH: u64 = 1 << 20;

/// The signals that are enough, and how long the thread works for them at most.
const ENOUGH: usize = 10;
const MOST: Duration = Duration::from_secs(60);

/// What a signal handler records is not overwritten by a lower value, which the interrupted section was about to store.
#[test]
fn a_lower_value_overwrites_none() {
    storm::run(1, |_| {
        storm::on_signal(|| {
            INTERRUPTED.record(HIGH);
            INTERRUPTED_BY_MM_CID.record(HIGH);
            SIGNALS.fetch_add(1, Ordering::Relaxed);
        });
        let began = Instant::now();
        // Longer where hardly a signal came.
        while SIGNALS.load(Ordering::Relaxed) <= ENOUGH && began.elapsed() < MOST {
            for _ in 0..TIMES / 10 {
                INTERRUPTED.reset();
                INTERRUPTED_BY_MM_CID.reset();
                let before = SIGNALS.load(Ordering::Relaxed);
                for value in 1..1000 {
                    INTERRUPTED.record(value);
                    INTERRUPTED_BY_MM_CID.record(value);
                }
                if SIGNALS.load(Ordering::Relaxed) != before {
                    assert_eq!((INTERRUPTED.value(), INTERRUPTED_BY_MM_CID.value()), (HIGH, HIGH));
                }
            }
            // What is recorded while a reset takes a lower value is not forgotten.
            for _ in 0..TIMES * 5 {
                INTERRUPTED.reset();
                let before = SIGNALS.load(Ordering::Relaxed);
                INTERRUPTED.record(1);
                let taken = INTERRUPTED.reset();
                if SIGNALS.load(Ordering::Relaxed) != before {
                    assert_eq!(taken.max(INTERRUPTED.value()), HIGH);
                }
            }
        }
    });
    let signals = SIGNALS.load(Ordering::Relaxed);
    assert!(signals > ENOUGH, "{signals} signals");
    storm::again_without_rseq("a_lower_value_overwrites_none");
}

#[derive(Clone, Debug)]
enum Step {
    Record(u64),
    Reset,
}

proptest! {
    #[test]
    fn watermarks_are_those_of_a_model(steps in prop::collection::vec(prop_oneof![
        9 => (any::<u64>(), 0u32..64).prop_map(|(value, shift)| Step::Record(value >> shift)),
        3 => prop_oneof![Just(0), Just(u64::MAX), Just(u64::MAX - 1), Just(u64::from(u32::MAX))].prop_map(Step::Record),
        1 => Just(Step::Reset),
    ], 0..100)) {
        let (max, min) = (Max::<ByCpu>::new(), Min::<ByCpu>::new());
        let (mut highest, mut lowest) = (0, u64::MAX);
        for step in steps {
            match step {
                Step::Record(value) => {
                    max.record(value);
                    min.record(value);
                    (highest, lowest) = (highest.max(value), lowest.min(value));
                }
                Step::Reset => {
                    prop_assert_eq!((max.reset(), min.reset()), (highest, lowest));
                    (highest, lowest) = (0, u64::MAX);
                }
            }
            prop_assert_eq!((max.value(), min.value()), (highest, lowest));
        }
    }
}
