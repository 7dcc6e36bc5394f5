//! Locks: one holder at a time, also of the lock of another CPU.

use crate::engine::{Outcome, Seat, Subject, Turn, ensure};
use crate::random::Random;
use crate::unrest;
use rseq_core::percpu::{Lock, LockGuard, RemoteError};
use rseq_core::{ByCpu, Index, Status, status};
use std::any::Any;
use std::hint::{black_box, spin_loop};

pub struct Locks<K: Index>(Lock<Tally, K>);

/// A count that is inexact, and unequal, if two holders change it.
pub struct Tally(u64, u64);

impl Tally {
    fn add(&mut self) -> Outcome {
        let Self(first, second) = *self;
        self.0 = black_box(first + 1);
        (0..black_box(4)).for_each(|_| spin_loop());
        self.1 = black_box(second + 1);
        ensure(first == second, "two threads held a lock", first, second)
    }
}

/// How often a user has held a lock.
pub struct Held {
    seat: Seat,
    times: u64,
}

impl Held {
    fn hold(&mut self, mut tally: LockGuard<'_, Tally>) -> Outcome {
        self.times += 1;
        tally.add()
    }
}

impl<K: Index> Locks<K> {
    /// Takes the lock of a CPU, where locks go by CPU.
    fn hold_remote(&self, part: &mut Held, cpu: u32) -> Outcome {
        let Some(lock) = (&self.0 as &dyn Any).downcast_ref::<Lock<Tally, ByCpu>>() else { return Ok(()) };
        match lock.lock_cpu(cpu) {
            Ok(tally) => {
                ensure(tally.index() == Some(cpu), "the lock of another CPU was taken", cpu, 0)?;
                part.hold(tally)
            }
            Err(RemoteError::NoSlot(_)) => Ok(()),
            Err(_) => ensure(false, "the fence was refused", cpu, 0),
        }
    }

    fn hold_all(&self, part: &mut Held) -> Outcome {
        for tally in self.0.iter() {
            let Ok(tally) = tally else { return ensure(false, "the fence was refused", 0, 0) };
            part.hold(tally)?;
        }
        Ok(())
    }
}

impl<K: Index> Subject for Locks<K> {
    type Part<'s> = Held;

    fn new(_: &mut Random) -> Self {
        Self(Lock::new(|| Tally(0, 0)))
    }

    fn part(&self, seat: Seat) -> Held {
        Held { seat, times: 0 }
    }

    fn step(&self, part: &mut Held, turn: &mut Turn) -> Outcome {
        let cpu = turn.random.of(unrest::cpus());
        let choice = turn.random.below(256);
        match choice {
            // A handler must not wait for what it has interrupted.
            _ if part.seat.is_handler => self.0.try_lock().map_or(Ok(()), |tally| part.hold(tally)),
            0..4 => self.hold_remote(part, cpu),
            4 => self.hold_all(part),
            5 => {
                let tally = self.0.lock();
                unrest::move_to(0, cpu);
                turn.cpu = cpu;
                part.hold(tally)
            }
            6..64 => self.0.try_lock().map_or(Ok(()), |tally| part.hold(tally)),
            _ => {
                let tally = self.0.lock();
                if part.seat.is_alone && K::OFFSET == ByCpu::OFFSET && matches!(status(), Status::On(_)) {
                    let index = tally.index();
                    ensure(index == Some(turn.cpu), "it is not this CPU's lock", turn.cpu, index.unwrap_or(u32::MAX))?;
                }
                part.hold(tally)
            }
        }
    }

    fn check(&self, parts: Vec<Held>) -> Outcome {
        let (held, mut found) = (parts.iter().map(|part| part.times).sum::<u64>(), 0);
        for tally in self.0.iter() {
            let Ok(tally) = tally else { return ensure(false, "the fence was refused", 0, 0) };
            ensure(tally.0 == tally.1, "two threads held a lock", tally.0, tally.1)?;
            found += tally.0;
        }
        ensure(held == found, "two threads held a lock at the same time", held, found)
    }
}
