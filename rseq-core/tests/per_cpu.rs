//! A program's own sections on its own values.

use rseq_core::percpu::PerCpu;
use rseq_core::{Ambient, ByCpu, ByMmCid, Index, Status, status};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

mod affinity;
mod storm;

const THREADS: u64 = 8;
const TIMES: usize = 50_000;

/// Twice the same number, plus what it began with.
#[repr(C)]
struct Pair {
    one: AtomicUsize,
    other: AtomicUsize,
}

const FIRST: usize = 7;
static MADE: AtomicU64 = AtomicU64::new(0);

fn pair() -> Pair {
    MADE.fetch_add(1, Relaxed);
    Pair { one: AtomicUsize::new(FIRST), other: AtomicUsize::new(FIRST) }
}

mod sections {
    use super::Pair;
    use rseq_core::*;

    critical_section! {
        /// `other = one + 1; one = other`
        ///
        /// # Safety
        ///
        /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with two valid words, which are the
        /// `place`-th bytes apart.
        pub unsafe fn step(base: *mut Pair, len: usize, place: usize) -> Result<Committed, OutOfRange> {
            exits(OutOfRange) scratch(i, one) abort(restart) stride(STRIDE);
            load_index(i);
            bound(i, len) else OutOfRange;
            scale(i, STRIDE);
            add(i, base);
            load(one, [i]);
            add(one, 1);
            repeatable store([i + place], one);
            commit store([i], one);
        }
    }
}

fn is_on<K: Index>() -> bool {
    matches!(status(), Status::On(_)) && (K::OFFSET == ByCpu::OFFSET || Ambient::token_by_mm_cid().is_some())
}

fn pairs_stay_pairs<K: Index>() {
    let fallback = Pair { one: AtomicUsize::new(FIRST), other: AtomicUsize::new(FIRST) };
    let pairs = PerCpu::<Pair, K>::new(fallback, pair);
    assert_eq!(pairs.iter().count(), 1);
    let by_fallback = AtomicU64::new(0);
    storm::run(THREADS, |_| {
        for _ in 0..TIMES {
            pairs.with(
                |token, base, len| {
                    // SAFETY: the copies are pairs of words, STRIDE bytes apart; the second word is one word further
                    // on.
                    unsafe { sections::step::<{ PerCpu::<Pair>::STRIDE }, _, _>(token, base, len, size_of::<usize>()) }
                        .map(drop)
                },
                |pair| {
                    by_fallback.fetch_add(1, Relaxed);
                    pair.one.fetch_add(1, Relaxed);
                    pair.other.fetch_add(1, Relaxed);
                },
            );
        }
    });
    let mut sum = 0;
    for pair in pairs.iter() {
        assert_eq!(pair.one.load(Relaxed), pair.other.load(Relaxed));
        sum += pair.one.load(Relaxed) - FIRST;
    }
    assert_eq!(sum, THREADS as usize * TIMES);
    if is_on::<K>() {
        let copies = pairs.iter().count() as u64 - 1;
        assert!(copies > 0 && MADE.load(Relaxed) >= copies, "every copy is made by the function");
        assert_eq!(by_fallback.load(Relaxed), 0);
    } else {
        assert_eq!(by_fallback.load(Relaxed), THREADS * TIMES as u64);
    }
}

#[test]
fn sections_of_the_program_are_exact() {
    // First, when nothing has registered this process's threads or found out who does.
    pairs_stay_pairs::<ByMmCid>();
    pairs_stay_pairs::<ByCpu>();
    storm::again_without_rseq("sections_of_the_program_are_exact");
}
