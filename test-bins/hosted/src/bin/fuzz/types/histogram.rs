//! Histograms: each bucket has what was recorded in it.

use crate::engine::{Outcome, Seat, Subject, Turn, ensure};
use crate::random::Random;
use rseq_core::Index;
use rseq_core::percpu::{Histogram, Snapshot};

const BUCKETS: usize = 160;

pub struct Histograms<K: Index>(Histogram<BUCKETS, K>);

/// How often a user has recorded 2^n - 1, by n, and the values that it has found when it began anew.
pub struct Recorded {
    times: [u64; 65],
    ended: Snapshot<BUCKETS>,
}

fn value(power: usize) -> u64 {
    u64::MAX.checked_shr(64 - power as u32).unwrap_or(0)
}

impl<K: Index> Subject for Histograms<K> {
    type Part<'s> = Recorded;

    fn new(_: &mut Random) -> Self {
        Self(Histogram::new())
    }

    fn part(&self, _: Seat) -> Recorded {
        Recorded { times: [0; 65], ended: Snapshot::new() }
    }

    fn step(&self, part: &mut Recorded, turn: &mut Turn) -> Outcome {
        let (power, times) = (turn.random.below(65), turn.random.below(1000) as u64);
        match turn.random.below(64) {
            0 => part.ended += self.0.reset(),
            1 => drop(self.0.snapshot()),
            2..16 => {
                self.0.record_n(value(power), times);
                part.times[power] += times;
            }
            _ => {
                self.0.record(value(power));
                part.times[power] += 1;
            }
        }
        Ok(())
    }

    fn check(&self, parts: Vec<Recorded>) -> Outcome {
        let (mut found, mut times) = (self.0.snapshot(), [0; 65]);
        for part in parts {
            found += part.ended;
            times.iter_mut().zip(part.times).for_each(|(sum, more)| *sum += more);
        }
        let all: u64 = times.iter().sum();
        ensure(found.count() == all, "values were lost or doubled", all, found.count())?;
        for (values, count) in found.buckets() {
            let recorded =
                (0..65).filter(|&power| values.contains(&value(power))).map(|power| times[power]).sum::<u64>();
            ensure(count == recorded, "values are in another bucket", recorded, count)?;
        }
        Ok(())
    }
}
