//! Bodies of the tests of per-CPU operations: a spinlock, a list and counters, each under load.

use core::sync::atomic::{AtomicUsize, Ordering};

use rseq_core::OwnArea;

use crate::abort_count::{AbortCount, Absence};
use crate::delayed::{DELAY, Delay, delayed_add_here};
use crate::index::{Choice, Here};
use crate::ktap::{OrFail, Unmet};
use crate::load::{Load, Record};
use crate::options::{Options, PATIENCE};
use crate::slots::{STRIDE, Slots};

pub mod ambient;
pub mod counter;
pub mod heap;
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

    /// Prints the counts, and requires commits and aborts. An operation that restarts itself cannot tell its aborts:
    /// those that its [`Gauge`] saw are required, and of the kernel, where its counter has at least those, more.
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
        crate::note!("{name}: {done} done, {aborted} aborted and retried, {failed} comparisons failed, {ms} ms");
        match kernel {
            Ok(count) => {
                crate::note!("{name}: {count} aborts by the kernel's count, {signals} signals, {migrations} moves")
            }
            Err(absence) => crate::note!("{name}: {signals} signals, {migrations} moves ({absence})"),
        }
        crate::ensure!(broken == 0, "{broken} workers were not registered, or left the slots");
        crate::ensure!(done > 0, "nothing was done");
        crate::in_time!(aborted > 0, "no section was aborted before the deadline: the load proves nothing");
        match kernel {
            Ok(count) if restarts && count == aborted as u64 => {
                Err(crate::late!("the kernel aborted no more than {aborted}: the load proves nothing"))
            }
            Ok(count) if is_short(count, restarts, aborted) => {
                crate::note!("{name}: the kernel's counter misses aborts, or all were moves; it is not relied on");
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Whether the kernel has counted fewer than there were. Restarts that the [`Gauge`] saw are aborts for certain; a
/// section that tells its aborts tells of moves before it was armed too. On riscv64 7.2 the counter once had hardly any
/// for two minutes: 2 of 504.
fn is_short(count: u64, restarts: bool, aborts: usize) -> bool {
    if restarts { count < aborts as u64 } else { count == 0 }
}

/// Runs `work` under load until there were enough aborts. A load without any is repeated, up to [`PATIENCE`]; so is one
/// of sections that restart themselves in which the kernel's count has the [`Gauge`]'s and no other.
pub fn under_load(
    options: &Options,
    restarts: bool,
    work: &(dyn Fn(&crate::load::Worker<'_>) + Sync),
) -> Result<(Record, Result<u64, Absence>), Unmet> {
    let abort_count = AbortCount::start();
    let proves = |record: &Record| {
        let counted = match restarts {
            true => abort_count.aborts().map_or(true, |count| count != record.events as u64),
            false => abort_count.has_counted(record.nanoseconds),
        };
        record.events > 0 && counted
    };
    let load = Load::heavy(options.threads, options.nanoseconds, options.enough);
    let record = load.run_until(PATIENCE, &proves, work).or_fail("the load")?;
    Ok((record, abort_count.aborts()))
}

/// A section that restarts itself and counts its attempts, run between those that cannot tell theirs: one a worker.
/// Restarted within its first instructions, one in a thousand, it counts one too few.
///
/// `counter.rs` shows the use: every thousand operations or so, `worker.saw(gauge.restarts::<C>(token)?)`.
pub struct Gauge {
    slots: Slots,
    delay: Delay,
}

impl Gauge {
    /// For one worker; `None` where there is no memory for its slots.
    pub fn new() -> Option<Self> {
        Some(Self { slots: Slots::new().ok()?, delay: Delay::new() })
    }

    /// Runs the section once: its restarts. `None` where the kernel does not maintain this index, or the thread is no
    /// longer registered.
    pub fn restarts<C: Choice>(&mut self, token: Here) -> Option<usize> {
        let mut attempts = 0usize;
        let (counter, (from, to)) = (&raw mut attempts, self.delay.ends());
        let (base, count, token) = (self.slots.base(), self.slots.count(), C::of(token).ok()?);
        // SAFETY: base and count are the slots', `counter` is a local, and the delay is this worker's own.
        unsafe { delayed_add_here::<STRIDE, OwnArea, C>(token, base, count, 1, counter, from, to, DELAY) }.ok()?;
        // SAFETY: the local, which the section wrote.
        unsafe { counter.read_volatile() }.checked_sub(1)
    }
}
