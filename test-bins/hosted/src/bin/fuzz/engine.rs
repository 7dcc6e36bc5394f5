//! Rounds: an object, the threads that use it, and what came of it.

use crate::random::Random;
use crate::unrest;
use std::fmt;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// What a model did not expect, and two numbers that say more.
#[derive(Clone, Copy, Debug)]
pub struct Fault(pub &'static str, pub u64, pub u64);

/// Without memory of its own, as signal handlers return it too.
pub type Outcome = Result<(), Fault>;

pub fn ensure(holds: bool, what: &'static str, a: impl TryInto<u64>, b: impl TryInto<u64>) -> Outcome {
    let number = |n: Result<u64, _>| n.unwrap_or(u64::MAX);
    if holds {
        Ok(())
    } else {
        Err(Fault(what, number(a.try_into().map_err(drop)), number(b.try_into().map_err(drop))))
    }
}

/// What has been done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub rounds: u64,
    pub operations: u64,
    signals: u64,
    aborts: u64,
    moves: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, more: Self) {
        self.rounds += more.rounds;
        self.operations += more.operations;
        self.signals += more.signals;
        self.aborts += more.aborts;
        self.moves += more.moves;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, operations, signals, aborts, moves } = self;
        write!(f, "{operations} operations in {rounds} rounds, {aborts} aborts by {signals} signals, {moves} moves")
    }
}

/// Who uses an object: a thread, or the signal handler of one.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// From 0 on; threads come first.
    pub number: usize,
    pub is_handler: bool,
    /// The only user, on CPUs that it chooses: a sequential model holds.
    pub is_alone: bool,
    /// Of all users.
    pub seats: usize,
}

/// The random numbers of a user, and the CPU that a user who is alone is on.
#[derive(Clone, Debug)]
pub struct Turn {
    pub random: Random,
    pub cpu: u32,
}

/// Objects of a type, and their model.
pub trait Subject: Sized + Sync {
    /// What a user of the object has, and has done.
    type Part<'s>: Send
    where
        Self: 's;

    fn new(random: &mut Random) -> Self;

    fn part(&self, seat: Seat) -> Self::Part<'_>;

    /// One operation. That of a signal handler allocates nothing and waits for nothing.
    fn step<'s>(&'s self, part: &mut Self::Part<'s>, turn: &mut Turn) -> Outcome;

    /// Compares the object with what its users have done.
    fn check(&self, parts: Vec<Self::Part<'_>>) -> Outcome;

    /// After the object is gone.
    fn after() -> Outcome {
        Ok(())
    }
}

/// Operations of a round at most.
const OPERATIONS: u64 = 20_000;

/// A round to be played.
#[derive(Debug)]
pub struct Round {
    random: Random,
    threads: usize,
    is_alone: bool,
    has_unregistered: bool,
    /// Of each thread.
    operations: u64,
    /// Even rounds go by CPU, odd ones by concurrency ID.
    pub by_cpu: bool,
}

impl Round {
    pub fn new(name: &str, seed: u64, number: u64, operations: u64) -> Self {
        let name = name.bytes().fold(0, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let mut random = Random::new(seed, &[name, number]);
        let is_alone = number.is_multiple_of(4);
        let threads = if is_alone { 1 } else { 2 + random.below(4) };
        let operations = operations.min(OPERATIONS).div_ceil(threads as u64);
        let has_unregistered = !is_alone && random.one_in(3);
        Self { random, threads, is_alone, has_unregistered, operations, by_cpu: number.is_multiple_of(2) }
    }

    fn seat(&self, number: usize) -> Seat {
        let is_handler = number >= self.threads;
        Seat { number, is_handler, is_alone: self.is_alone, seats: 2 * self.threads }
    }

    fn turn(&self, number: usize) -> Turn {
        let mut random = self.random.clone();
        Turn { random: Random::new(random.next(), &[number as u64]), cpu: unrest::cpus()[0] }
    }

    /// Plays it with an object of this type.
    pub fn play<S: Subject>(&self) -> Result<Totals, Fault> {
        let before = counts();
        let subject = S::new(&mut self.random.clone());
        let parts = self.run_threads(&subject)?;
        subject.check(parts)?;
        drop(subject);
        S::after()?;
        let [signals, aborts, moves] = counts();
        Ok(Totals {
            rounds: 1,
            operations: self.operations * self.threads as u64,
            signals: signals - before[0],
            aborts: aborts - before[1],
            moves: moves - before[2],
        })
    }

    fn run_threads<'s, S: Subject>(&self, subject: &'s S) -> Result<Vec<S::Part<'s>>, Fault> {
        let ids: Vec<_> = (0..self.threads).map(|_| AtomicI32::new(0)).collect();
        let running = &AtomicUsize::new(self.threads);
        thread::scope(|scope| {
            let spawn = |(number, id)| scope.spawn(move || self.run_thread(subject, number, id, running));
            let threads: Vec<_> = ids.iter().enumerate().map(spawn).collect();
            self.move_threads(&ids, running);
            let (mut own, mut handlers) = (Vec::new(), Vec::new());
            for thread in threads {
                let [part, handler] = thread.join().unwrap_or(Err(Fault("a thread panicked", 0, 0)))?;
                own.push(part);
                handlers.push(handler);
            }
            own.append(&mut handlers);
            Ok(own)
        })
    }

    /// Moves threads to other CPUs, wherever they are in what they do.
    fn move_threads(&self, ids: &[AtomicI32], running: &AtomicUsize) {
        let mut random = self.turn(usize::MAX).random;
        while running.load(Relaxed) > 0 {
            thread::sleep(Duration::from_micros(100));
            let id = ids[random.below(ids.len())].load(Relaxed);
            if id != 0 && !self.is_alone {
                unrest::move_to(id, random.of(unrest::cpus()));
            }
        }
    }

    fn run_thread<'s, S: Subject>(
        &self,
        subject: &'s S,
        number: usize,
        id: &AtomicI32,
        running: &AtomicUsize,
    ) -> Result<[S::Part<'s>; 2], Fault> {
        struct Ended<'a>(&'a AtomicI32, &'a AtomicUsize);
        impl Drop for Ended<'_> {
            fn drop(&mut self) {
                self.0.store(0, Relaxed);
                self.1.fetch_sub(1, Relaxed);
            }
        }
        let _ended = Ended(id, running);
        if self.has_unregistered && number + 1 == self.threads {
            unrest::unregister();
        } else {
            // Before a signal handler uses per-CPU data.
            let _ = rseq_core::ensure_registered();
        }
        let handler = self.threads + number;
        let (mut part, mut turn) = (subject.part(self.seat(number)), self.turn(number));
        let (mut handler_part, mut handler_turn) = (subject.part(self.seat(handler)), self.turn(handler));
        let mut handler_outcome = Ok(());
        unrest::move_to(0, turn.cpu);
        id.store(unrest::thread_id(), Relaxed);
        let mut on_signal = || {
            if !self.is_alone && handler_outcome.is_ok() {
                handler_outcome = subject.step(&mut handler_part, &mut handler_turn);
            }
        };
        let steps = || (0..self.operations).try_for_each(|_| step(subject, &mut part, &mut turn));
        let outcome = unrest::interrupted_by(&mut on_signal, steps);
        outcome.unwrap_or(Err(Fault("there is no timer", 0, 0)))?;
        handler_outcome?;
        Ok([part, handler_part])
    }
}

fn step<'s, S: Subject>(subject: &'s S, part: &mut S::Part<'s>, turn: &mut Turn) -> Outcome {
    if turn.random.one_in(256) {
        turn.cpu = turn.random.of(unrest::cpus());
        unrest::move_to(0, turn.cpu);
    }
    subject.step(part, turn)
}

fn counts() -> [u64; 3] {
    [&unrest::SIGNALS, &unrest::ABORTS, &unrest::MOVES].map(|count| count.load(Relaxed))
}
