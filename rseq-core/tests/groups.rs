//! Groups of counters.

use rseq_core::percpu_counters;
use std::collections::BTreeSet;
use std::thread;

const THREADS: u64 = 8;
const TIMES: u64 = 50_000;

mod stats {
    rseq_core::percpu_counters! {
        /// What the threads do.
        #[deny(missing_docs)]
        pub static STATS: {
            requests,
            /// Of those, the odd ones.
            errors,
            bytes,
        };
        pub(super) static BY_MM_CID: by_mm_cid { hits, misses }
    }
}

use stats::{BY_MM_CID, STATS};

percpu_counters! {
    static MANY: { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r }
}

#[test]
fn members_count_on_their_own() {
    let mut taken = [0; 3];
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for time in 0..TIMES {
                    STATS.requests.inc();
                    STATS.errors.add(time % 2);
                    STATS.bytes.add(2 * time);
                    STATS.bytes.sub(time);
                    BY_MM_CID.hits.inc();
                    BY_MM_CID.misses.sub(2);
                    BY_MM_CID.misses.inc();
                }
            });
        }
        for _ in 0..200 {
            for (taken, (_, count)) in taken.iter_mut().zip(STATS.reset()) {
                *taken = u64::wrapping_add(*taken, count);
            }
        }
    });
    let last: Vec<_> = STATS.iter().map(|(_, sum)| sum).collect();
    assert_eq!(last, [STATS.requests.sum(), STATS.errors.sum(), STATS.bytes.sum()]);
    let names: Vec<_> = STATS.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["requests", "errors", "bytes"]);
    let all: Vec<_> = taken.iter().zip(last).map(|(taken, last)| taken.wrapping_add(last)).collect();
    assert_eq!(all, [THREADS * TIMES, THREADS * TIMES / 2, THREADS * TIMES * (TIMES - 1) / 2]);
    let by_mm_cid: Vec<_> = BY_MM_CID.iter().collect();
    assert_eq!(by_mm_cid, [("hits", THREADS * TIMES), ("misses", (THREADS * TIMES).wrapping_neg())]);
    assert_eq!(BY_MM_CID.hits.reset(), THREADS * TIMES);
    assert_eq!((BY_MM_CID.hits.sum(), BY_MM_CID.misses.sum()), (0, (THREADS * TIMES).wrapping_neg()));
}

#[test]
fn a_group_may_have_more_members_than_a_line() {
    MANY.a.add(1);
    MANY.i.add(9);
    MANY.r.add(18);
    assert_eq!(MANY.iter().len(), 18);
    let sums: BTreeSet<_> = MANY.iter().filter(|&(_, sum)| sum != 0).collect();
    assert_eq!(sums, BTreeSet::from([("a", 1), ("i", 9), ("r", 18)]));
}
