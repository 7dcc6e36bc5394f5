//! Counters, groups of them, and gauges: the sum of all additions is in the counts that have ended and in the last.

use crate::engine::{Fault, Outcome, Seat, Subject, Turn, ensure};
use crate::random::Random;
use rseq_core::percpu::{Counter, Gauge};
use rseq_core::{Index, percpu_counters};

/// A counter that is reset, and one that only rises.
pub struct Counters<K: Index> {
    any: Counter<K>,
    rising: Counter<K>,
}

/// What a user has added, wrapping around, and the counts that it has ended.
#[derive(Default)]
pub struct Counted {
    added: u64,
    ended: u64,
    raised: u64,
    /// The last sum of the rising counter that it has seen.
    seen: u64,
}

impl<K: Index> Subject for Counters<K> {
    type Part<'s> = Counted;

    fn new(_: &mut Random) -> Self {
        Self { any: Counter::new(), rising: Counter::new() }
    }

    fn part(&self, _: Seat) -> Counted {
        Counted::default()
    }

    fn step(&self, part: &mut Counted, turn: &mut Turn) -> Outcome {
        let number = turn.random.next();
        let mut add = |count: u64| part.added = part.added.wrapping_add(count);
        match turn.random.below(32) {
            0 => part.ended = part.ended.wrapping_add(self.any.reset()),
            1 => drop(self.any.sum()),
            2 => {
                let sum = self.rising.sum();
                ensure(sum >= part.seen, "a sum fell", part.seen, sum)?;
                ensure(sum >= part.raised, "a thread's own additions are not in the sum", part.raised, sum)?;
                part.seen = sum;
            }
            3..8 => {
                self.any.add(number);
                add(number);
            }
            8..12 => {
                self.any.sub(number);
                add(number.wrapping_neg());
            }
            12..20 => {
                self.any.inc();
                add(1);
            }
            _ => {
                self.rising.add(number % 3);
                part.raised += number % 3;
            }
        }
        Ok(())
    }

    fn check(&self, parts: Vec<Counted>) -> Outcome {
        let sum = |of: fn(&Counted) -> u64| parts.iter().map(of).fold(0, u64::wrapping_add);
        let (added, found) = (sum(|part| part.added), sum(|part| part.ended).wrapping_add(self.any.sum()));
        ensure(added == found, "additions were lost or doubled", added, found)?;
        let (raised, found) = (sum(|part| part.raised), self.rising.sum());
        ensure(raised == found, "additions to the counter that rises were lost or doubled", raised, found)
    }
}

percpu_counters! {
    static GROUP: { first, second, third }
    static GROUP_BY_MM_CID: by_mm_cid { first, second, third }
}

/// Groups are statics: a round begins with what the last one has left, which is 0.
pub struct Groups;

/// For each member of both groups, what was added and what was in counts that have ended.
#[derive(Default)]
pub struct Members {
    added: [u64; 6],
    ended: [u64; 6],
}

impl Members {
    fn end(&mut self, from: usize, counts: [(&'static str, u64); 3]) {
        for (ended, (_, count)) in self.ended[from..].iter_mut().zip(counts) {
            *ended = ended.wrapping_add(count);
        }
    }
}

impl Subject for Groups {
    type Part<'s> = Members;

    fn new(_: &mut Random) -> Self {
        Self
    }

    fn part(&self, _: Seat) -> Members {
        Members::default()
    }

    fn step(&self, part: &mut Members, turn: &mut Turn) -> Outcome {
        let count = turn.random.next();
        let at = turn.random.below(6);
        match turn.random.below(32) {
            0 => part.end(0, GROUP.reset()),
            1 => part.end(3, GROUP_BY_MM_CID.reset()),
            2 => part.ended[1] = part.ended[1].wrapping_add(GROUP.second.reset()),
            3 => drop(GROUP.iter().zip(GROUP_BY_MM_CID.iter()).count()),
            _ => {
                match at {
                    0 => GROUP.first.add(count),
                    1 => GROUP.second.add(count),
                    2 => GROUP.third.sub(count.wrapping_neg()),
                    3 => GROUP_BY_MM_CID.first.add(count),
                    4 => GROUP_BY_MM_CID.second.add(count),
                    _ => GROUP_BY_MM_CID.third.sub(count.wrapping_neg()),
                }
                part.added[at] = part.added[at].wrapping_add(count);
            }
        }
        Ok(())
    }

    fn check(&self, mut parts: Vec<Members>) -> Outcome {
        parts[0].end(0, GROUP.reset());
        parts[0].end(3, GROUP_BY_MM_CID.reset());
        for member in 0..6 {
            let sum =
                |of: fn(&Members) -> &[u64; 6]| parts.iter().map(|part| of(part)[member]).fold(0, u64::wrapping_add);
            let (added, found) = (sum(|part| &part.added), sum(|part| &part.ended));
            ensure(added == found, "additions to a member were lost, doubled or mixed up", added, found)?;
        }
        Ok(())
    }
}

/// A gauge; a user's part is what it has raised it by.
pub struct Gauges<K: Index>(Gauge<K>);

impl<K: Index> Subject for Gauges<K> {
    type Part<'s> = i64;

    fn new(_: &mut Random) -> Self {
        Self(Gauge::new())
    }

    fn part(&self, _: Seat) -> i64 {
        0
    }

    fn step(&self, part: &mut i64, turn: &mut Turn) -> Outcome {
        let amount = turn.random.next() as i64;
        let raised = match turn.random.below(8) {
            0 | 1 => {
                self.0.add(amount);
                amount
            }
            2 | 3 => {
                self.0.sub(amount);
                amount.wrapping_neg()
            }
            4 | 5 => {
                self.0.inc();
                1
            }
            6 => {
                self.0.dec();
                -1
            }
            _ => self.0.value().wrapping_mul(0),
        };
        *part = part.wrapping_add(raised);
        Ok(())
    }

    fn check(&self, parts: Vec<i64>) -> Outcome {
        let (raised, value) = (parts.into_iter().fold(0, i64::wrapping_add), self.0.value());
        if raised == value { Ok(()) } else { Err(Fault("changes were lost or doubled", raised as u64, value as u64)) }
    }
}
