//! Threads that add to slots in delayed sections until they are stopped.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use harness::abort_count::{AbortCount, Absence};
use harness::delayed::{DELAY, Delay, delayed_add};
use harness::exact::exact;
use harness::index::Choice;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::load::{Load, MAX_THREADS, Record, Worker};
use harness::options::{Options, PATIENCE};
use harness::percpu_ops::{Counts, Tally};
use harness::slots::Slots;
use harness::sys::cpu::{self, Set};
use harness::sys::process;
use rseq_core::{Aborted, Committed};

/// The slots, and who adds to them.
pub struct Work {
    pub slots: Slots,
    tids: [AtomicU32; MAX_THREADS],
    tally: Tally,
}

/// A load that has ended.
pub struct Added {
    record: Record,
    aborts: Result<u64, Absence>,
}

impl Work {
    /// Slots for every possible CPU, and no thread yet.
    pub fn new() -> Result<Self, Unmet> {
        let slots = Slots::new().or_fail("memory for the slots")?;
        Ok(Self { slots, tids: [const { AtomicU32::new(0) }; MAX_THREADS], tally: Tally::default() })
    }

    /// Adds under timer signals until `done` says so or patience ends.
    pub fn run<C: Choice>(
        &self,
        options: &Options,
        migration: bool,
        done: &dyn Fn(&Record) -> bool,
    ) -> Result<Added, Unmet> {
        let abort_count = AbortCount::start();
        let mut load = Load::heavy(options.threads, options.nanoseconds, options.enough);
        load.migration = migration;
        let work = |worker: &Worker<'_>| self.tally.add(self.add::<C>(worker));
        let record = load.run_until(2 * PATIENCE, done, &work).or_fail("the load")?;
        Ok(Added { record, aborts: abort_count.aborts() })
    }

    /// Every count must be there, and aborts with them. Not while CPUs come and go: where counts are missing, this
    /// thread is moved over all of them, to see whether the kernel is late.
    pub fn judge(&self, name: &str, added: &Added) -> Verdict {
        exact(self.tally.done() as u64, self.slots.sum() as u64)?;
        self.tally.judge(name, false, &added.record, added.aborts)
    }

    fn add<C: Choice>(&self, worker: &Worker<'_>) -> Option<Counts> {
        let tid = self.tids.get(worker.index as usize)?;
        tid.store(process::thread_id(), Relaxed);
        let counts = self.add_until_stopped::<C>(worker);
        tid.store(0, Relaxed);
        counts
    }

    fn add_until_stopped<C: Choice>(&self, worker: &Worker<'_>) -> Option<Counts> {
        let token = rseq_rt::current()?;
        let mut counts = Counts::default();
        let mut delay = Delay::new();
        let (from, to) = delay.ends();
        while worker.goes_on() {
            let slot = C::value(token);
            let word = self.slots.word(slot)?;
            // SAFETY: the slot's own word, the delay's ends are locals, and a slot number is not -1 or -2.
            match unsafe { delayed_add(C::of(token).ok()?, slot, word, 1, from, to, DELAY) } {
                Ok(Committed) => counts.done += 1,
                Err(Aborted) => {
                    counts.aborted += 1;
                    worker.saw(1);
                }
            }
        }
        Some(counts)
    }

    /// Restricts every worker to `set`; returns how many there were. One that has just ended is left alone.
    pub fn send_to(&self, set: &Set) -> u64 {
        let sent = |tid: &AtomicU32| match tid.load(Relaxed) {
            0 => false,
            tid => cpu::set_affinity(tid, set).is_ok(),
        };
        self.tids.iter().filter(|tid| sent(tid)).count() as u64
    }

    /// What a slot holds.
    pub fn count(&self, slot: u32) -> usize {
        // SAFETY: the slot's own word; volatile, as sections write it.
        self.slots.word(slot as usize).map_or(0, |word| unsafe { word.read_volatile() })
    }
}
