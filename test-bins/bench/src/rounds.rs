//! Interleaved rounds of all contenders with one number of threads.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::crew::Crew;
use crate::{Contender, Settings, Workload};

/// Operations a thread, where nothing is known yet.
const FIRST: u64 = 1000;

/// What all rounds of a contender took.
#[derive(Debug)]
pub struct Times {
    /// Operations a thread, in each round.
    pub operations: u64,
    /// Nanoseconds of thread CPU time an operation, by round.
    pub cpu: Vec<f64>,
    /// Nanoseconds by the clock in which all threads together do an operation, by round.
    pub wall: Vec<f64>,
}

/// The times of a contender, or why it did not run.
pub type Ran = Result<Times>;

struct Running<'env> {
    label: &'static str,
    workload: &'env dyn Workload,
    times: Times,
    done: u64,
}

impl<'env> Running<'env> {
    /// The number of operations that lasts a round.
    fn start(contender: &Contender, workload: &'env dyn Workload, crew: &Crew<'env>, round: Duration) -> Result<Self> {
        let batched = |operations: u64| operations.max(1).next_multiple_of(contender.batch);
        let times = Times { operations: batched(FIRST), cpu: Vec::new(), wall: Vec::new() };
        let mut running = Self { label: contender.label, workload, times, done: 0 };
        loop {
            let wall = running.run(crew)?.1;
            let factor = round.as_secs_f64() / wall.as_secs_f64().max(1e-9);
            running.times.operations = batched((running.times.operations as f64 * factor.min(4.0)) as u64);
            if factor < 4.0 {
                return Ok(running);
            }
        }
    }

    fn run(&mut self, crew: &Crew<'env>) -> Result<(Duration, Duration)> {
        let took = crew.run(self.workload, self.times.operations).context(self.label)?;
        self.done += self.times.operations * crew.len() as u64;
        Ok((took.cpu, took.wall))
    }

    fn round(&mut self, crew: &Crew<'env>) -> Result<()> {
        let (cpu, wall) = self.run(crew)?;
        let operations = self.times.operations as f64 * crew.len() as f64;
        self.times.cpu.push(cpu.as_secs_f64() * 1e9 / operations);
        self.times.wall.push(wall.as_secs_f64() * 1e9 / operations);
        Ok(())
    }

    fn finish(self) -> Result<Times> {
        self.workload.check(self.done).context(self.label)?;
        Ok(self.times)
    }
}

/// Runs all contenders in turn, round by round.
///
/// # Errors
///
/// That of a contender that lost something, or of the kernel.
pub fn run(contenders: &[Contender], threads: usize, settings: &Settings) -> Result<Vec<Ran>> {
    let made: Vec<_> = contenders.iter().map(|contender| (contender.make)()).collect();
    thread::scope(|scope| {
        let crew = Crew::new(scope, threads)?;
        let mut all = Vec::new();
        for (contender, made) in contenders.iter().zip(&made) {
            all.push(match made {
                Ok(workload) => Ok(Running::start(contender, &**workload, &crew, settings.round)?),
                Err(reason) => Err(anyhow!("{reason:#}")),
            });
        }
        for round in 0..settings.rounds as usize {
            let (last, first) = all.split_at_mut(round % contenders.len());
            for running in first.iter_mut().chain(last).flatten() {
                running.round(&crew)?;
            }
        }
        let finish = |one: Result<Running<'_>>| one.map_or_else(|reason| Ok(Err(reason)), |it| it.finish().map(Ok));
        all.into_iter().map(finish).collect()
    })
}
