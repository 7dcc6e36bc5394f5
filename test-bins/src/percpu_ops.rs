//! Bodies of the tests of per-CPU operations: a spinlock, a list and counters, each under load.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::ktap::{OrFail, Unmet};
use crate::load::{Load, Record};
use crate::options::{Options, PATIENCE};
use crate::witness::{Absence, Witness};

pub mod counter;
pub mod list;
pub mod spinlock;

/// What the workers of one test counted together.
#[derive(Default)]
pub struct Tally {
    /// Operations that committed.
    pub done: AtomicUsize,
    /// Operations that ended by their abort exit.
    pub aborted: AtomicUsize,
    /// Comparisons that did not hold.
    pub compare_failed: AtomicUsize,
    /// Workers that had no registration, or left a slot's bounds.
    pub broken: AtomicUsize,
}

/// One worker's counts, added to the [`Tally`] when it ends.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// See [`Tally::done`].
    pub done: usize,
    /// See [`Tally::aborted`].
    pub aborted: usize,
    /// See [`Tally::compare_failed`].
    pub compare_failed: usize,
}

impl Tally {
    /// Adds a worker's counts; `None` is a worker that could not work.
    pub fn add(&self, counts: Option<Counts>) {
        let relaxed = Ordering::Relaxed;
        match counts {
            Some(counts) => {
                self.done.fetch_add(counts.done, relaxed);
                self.aborted.fetch_add(counts.aborted, relaxed);
                self.compare_failed.fetch_add(counts.compare_failed, relaxed);
            }
            None => {
                self.broken.fetch_add(1, relaxed);
            }
        }
    }

    /// Operations that committed.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Prints the counts, and requires commits and aborts. Without the kernel's count an operation that restarts itself
    /// cannot tell its aborts.
    pub fn judge(
        &self,
        name: &str,
        restarts: bool,
        record: &Record,
        kernel: Result<u64, Absence>,
    ) -> Result<(), Unmet> {
        let [done, aborted, failed, broken] =
            [&self.done, &self.aborted, &self.compare_failed, &self.broken].map(|count| count.load(Ordering::Relaxed));
        let (signals, migrations, ms) = (record.signals, record.migrations, record.nanoseconds / 1_000_000);
        crate::note!("{name}: {done} done, {aborted} aborted, {failed} comparisons failed, {ms} ms");
        match kernel {
            Ok(count) => {
                crate::note!("{name}: {count} aborts by the kernel's count, {signals} signals, {migrations} moves")
            }
            Err(absence) => crate::note!("{name}: {signals} signals, {migrations} moves ({absence})"),
        }
        crate::ensure!(broken == 0, "{broken} workers were not registered");
        crate::ensure!(done > 0, "nothing was done");
        crate::ensure!(restarts || aborted > 0, "no section was aborted before the deadline: the load proves nothing");
        crate::ensure!(!matches!(kernel, Ok(0)), "the kernel aborted nothing: the load proves nothing");
        Ok(())
    }
}

/// Runs `work` under load until there were enough aborts: by the workers' count or, in sections that restart themselves, by
/// the kernel's where there is one. A load without any is repeated, up to [`PATIENCE`].
pub fn under_load(
    options: &Options,
    restarts: bool,
    work: &(dyn Fn(&crate::load::Worker<'_>) + Sync),
) -> Result<(Record, Result<u64, Absence>), Unmet> {
    let witness = Witness::start();
    let slice = if restarts { options.nanoseconds / 8 } else { options.nanoseconds };
    let load = Load::heavy(options.threads, slice, options.enough);
    let mut record = load.run(work).or_fail("the load")?;
    let none = |record: &Record| witness.aborts().map_or(!restarts && record.events == 0, |aborts| aborts == 0);
    while none(&record) && record.nanoseconds < PATIENCE {
        let more = load.run(work).or_fail("the load")?;
        record.events += more.events;
        record.signals += more.signals;
        record.migrations += more.migrations;
        record.nanoseconds += more.nanoseconds;
    }
    Ok((record, witness.aborts()))
}
