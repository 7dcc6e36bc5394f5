//! The threads of a measurement: pinned apart, they live as long as it does, and begin each task together.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread::Scope;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::time::{ClockId, clock_gettime};

use crate::{Workload, pin};

/// What every thread is to do.
#[derive(Clone, Copy)]
struct Task<'env> {
    workload: &'env dyn Workload,
    /// Operations a thread.
    operations: u64,
}

/// How long a thread took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Took {
    /// Thread CPU time.
    pub cpu: Duration,
    /// By the clock.
    pub wall: Duration,
}

struct Worker<'env> {
    tasks: Sender<Task<'env>>,
    results: Receiver<Result<Took>>,
}

/// Threads that wait for tasks.
pub struct Crew<'env> {
    workers: Vec<Worker<'env>>,
}

impl<'env> Crew<'env> {
    /// So many threads, over the CPUs that this one may use in turn.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn new<'scope>(scope: &'scope Scope<'scope, 'env>, threads: usize) -> Result<Self> {
        let together = Arc::new(Barrier::new(threads));
        let cpus = pin::allowed()?.into_iter().cycle().take(threads);
        let worker = |cpu| {
            let (tasks, received) = channel();
            let (report, results) = channel();
            let together = together.clone();
            let pinned = move || {
                let pinned = pin::to(cpu);
                work(&received, &report, &together, &pinned);
            };
            scope.spawn(pinned);
            Worker { tasks, results }
        };
        Ok(Self { workers: cpus.map(worker).collect() })
    }

    /// How many threads it has.
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// The CPU time of all threads together, and the longest time by the clock, of so many operations in each thread.
    ///
    /// # Errors
    ///
    /// The workload's, the kernel's, or that a thread panicked.
    pub fn run(&self, workload: &'env dyn Workload, operations: u64) -> Result<Took> {
        let gone = || anyhow!("a thread of the measurement panicked");
        for worker in &self.workers {
            worker.tasks.send(Task { workload, operations }).map_err(|_| gone())?;
        }
        let mut all = Took::default();
        for worker in &self.workers {
            let one = worker.results.recv().map_err(|_| gone())??;
            all = Took { cpu: all.cpu + one.cpu, wall: all.wall.max(one.wall) };
        }
        Ok(all)
    }
}

fn work(tasks: &Receiver<Task<'_>>, report: &Sender<Result<Took>>, together: &Barrier, pinned: &Result<()>) {
    while let Ok(task) = tasks.recv() {
        together.wait();
        let took = match pinned {
            Ok(()) => time(task),
            Err(error) => Err(anyhow!("{error:#}")),
        };
        if report.send(took).is_err() {
            return;
        }
    }
}

fn time(task: Task<'_>) -> Result<Took> {
    let (wall, cpu) = (Instant::now(), thread_time()?);
    task.workload.run(task.operations)?;
    Ok(Took { cpu: thread_time()?.saturating_sub(cpu), wall: wall.elapsed() })
}

fn thread_time() -> Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map(Duration::from).context("CLOCK_THREAD_CPUTIME_ID")
}
