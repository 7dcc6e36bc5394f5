//! The highest and the lowest value: no record is missed.

use crate::engine::{Outcome, Seat, Subject, Turn, ensure};
use crate::random::Random;
use rseq_core::Index;
use rseq_core::percpu::{Max, Min};

/// A pair that the first thread resets, and a pair that keeps what it has.
pub struct Watermarks<K: Index> {
    max: Max<K>,
    min: Min<K>,
    kept_max: Max<K>,
    kept_min: Min<K>,
}

/// What a user has recorded. Values to be reset rise, as then each one may be the highest.
pub struct Recorded {
    seat: Seat,
    count: u64,
    /// The highest one since its own last reset.
    since: u64,
    highest: u64,
    /// The highest one that its resets returned.
    reset: u64,
    reset_min: u64,
    kept_highest: u64,
    kept_lowest: u64,
}

impl<K: Index> Watermarks<K> {
    fn reset(&self, part: &mut Recorded) -> Outcome {
        let (max, min) = (self.max.reset(), self.min.reset());
        ensure(max >= part.since, "a reset missed a higher value of its own thread", max, part.since)?;
        ensure(min <= !part.since, "a reset missed a lower value of its own thread", min, !part.since)?;
        part.since = 0;
        part.reset = part.reset.max(max);
        part.reset_min = part.reset_min.min(min);
        Ok(())
    }
}

impl<K: Index> Subject for Watermarks<K> {
    type Part<'s> = Recorded;

    fn new(_: &mut Random) -> Self {
        Self { max: Max::new(), min: Min::new(), kept_max: Max::new(), kept_min: Min::new() }
    }

    fn part(&self, seat: Seat) -> Recorded {
        let (highest, kept_lowest) = (0, u64::MAX);
        Recorded { seat, count: 0, since: 0, highest, reset: 0, reset_min: u64::MAX, kept_highest: 0, kept_lowest }
    }

    fn step(&self, part: &mut Recorded, turn: &mut Turn) -> Outcome {
        match turn.random.below(32) {
            0 if part.seat.number == 0 => self.reset(part)?,
            0 => {
                let (max, min) = (self.kept_max.value(), self.kept_min.value());
                ensure(max >= part.kept_highest, "a higher value was missed", max, part.kept_highest)?;
                ensure(min <= part.kept_lowest, "a lower value was missed", min, part.kept_lowest)?;
            }
            1..6 => {
                let value = turn.random.next() >> turn.random.below(64);
                self.kept_max.record(value);
                self.kept_min.record(value);
                part.kept_highest = part.kept_highest.max(value);
                part.kept_lowest = part.kept_lowest.min(value);
            }
            _ => {
                part.count += 1;
                let value = part.count << 8 | part.seat.number as u64;
                self.max.record(value);
                self.min.record(!value);
                (part.since, part.highest) = (value, value);
            }
        }
        Ok(())
    }

    fn check(&self, parts: Vec<Recorded>) -> Outcome {
        let most = |of: fn(&Recorded) -> u64| parts.iter().map(of).max().unwrap_or(0);
        let least = |of: fn(&Recorded) -> u64| parts.iter().map(of).min().unwrap_or(u64::MAX);
        let (highest, max) = (most(|part| part.highest), self.max.value().max(most(|part| part.reset)));
        ensure(highest == max, "the highest value is another one", highest, max)?;
        let lowest = if highest == 0 { u64::MAX } else { !highest };
        let min = self.min.value().min(least(|part| part.reset_min));
        ensure(lowest == min, "the lowest value is another one", lowest, min)?;
        let (highest, max) = (most(|part| part.kept_highest), self.kept_max.value());
        ensure(highest == max, "the highest value that is kept is another one", highest, max)?;
        let (lowest, min) = (least(|part| part.kept_lowest), self.kept_min.value());
        ensure(lowest == min, "the lowest value that is kept is another one", lowest, min)
    }
}
