//! The threads of a run, and what they saw.

use crate::inject::{Injector, Point};
use crate::options::Params;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use rseq_core::{Committed, Stopped};
use test_bins::index::{Choice, Here};
use test_bins::ktap::{Unmet, Verdict};
use test_bins::{fail, note};

/// What all threads of a run saw together.
#[derive(Default)]
pub struct Totals {
    /// Repetitions done.
    pub done: AtomicUsize,
    /// Sections that were aborted.
    pub aborts: AtomicUsize,
    /// Comparisons that failed.
    pub mismatches: AtomicUsize,
    /// Threads without rseq, which did nothing.
    pub without: AtomicU32,
    /// Threads that found something wrong.
    pub wrong: AtomicU32,
}

/// One thread of a run.
pub struct Worker<'p, C: Choice> {
    pub token: Here,
    pub index: C::Index,
    injector: Injector<'p>,
    aborts: usize,
    mismatches: usize,
}

impl<C: Choice> Worker<'_, C> {
    /// Runs `attempt` on the slot of the moment, again and again, until it commits; returns the slot.
    #[inline(always)]
    pub fn retry<E: Into<Stopped>>(&mut self, mut attempt: impl FnMut(&Self, usize) -> Result<Committed, E>) -> usize {
        loop {
            if let Some((slot, Ok(Committed))) = self.once(|worker, slot| attempt(worker, slot).map_err(E::into)) {
                return slot;
            }
        }
    }

    /// One attempt on the slot of the moment; None if it was aborted.
    #[inline(always)]
    pub fn once(
        &mut self,
        attempt: impl FnOnce(&Self, usize) -> Result<Committed, Stopped>,
    ) -> Option<(usize, Result<Committed, Stopped>)> {
        self.injector.at(Point::Before);
        let slot = C::value(self.token);
        self.injector.at(Point::Between);
        let result = attempt(self, slot);
        self.injector.at(Point::After);
        match result {
            Ok(Committed) => {}
            Err(Stopped::CompareFailed) => self.mismatches += 1,
            Err(Stopped::Aborted) => {
                self.aborts += 1;
                return None;
            }
        }
        Some((slot, result))
    }
}

/// Starts the threads of a run; each does `work` once for each repetition. False from `work` ends the thread as wrong.
pub fn run<C: Choice>(
    params: &Params,
    totals: &Totals,
    work: &(impl Fn(&mut Worker<'_, C>) -> bool + Sync),
) -> Verdict {
    start::<C>(params, totals, &|worker| (0..params.reps).take_while(|_| work(worker)).count())
}

/// A whole thread's work; it returns the repetitions done.
type Work<'w, C> = dyn Fn(&mut Worker<'_, C>) -> usize + Sync + 'w;

fn start<C: Choice>(params: &Params, totals: &Totals, work: &Work<'_, C>) -> Verdict {
    let started = rseq_rt::thread::scope(|scope| {
        (0..params.threads)
            .try_for_each(|number| scope.spawn(move || thread::<C>(params, number, totals, work)).map(drop))
    });
    started.map_err(|errno| fail!("starting {} threads: {errno}", params.threads))?;
    match totals.wrong.load(Relaxed) {
        0 => Ok(()),
        wrong => Err(fail!("{wrong} threads found something wrong")),
    }
}

fn thread<C: Choice>(params: &Params, number: u32, totals: &Totals, work: &Work<'_, C>) {
    let Some((token, index)) = enter::<C>(params, number) else {
        totals.without.fetch_add(1, Relaxed);
        return;
    };
    let mut worker: Worker<'_, C> = Worker { token, index, injector: Injector::new(params), aborts: 0, mismatches: 0 };
    let done = work(&mut worker);
    if done < params.reps as usize {
        totals.wrong.fetch_add(1, Relaxed);
    }
    totals.done.fetch_add(done, Relaxed);
    totals.aborts.fetch_add(worker.aborts, Relaxed);
    totals.mismatches.fetch_add(worker.mismatches, Relaxed);
    if params.verbose {
        note!("thread {number}: {done} done, {} aborts, {} mismatches", worker.aborts, worker.mismatches);
    }
}

/// This thread's proofs, unless the options take rseq from it or the kernel did not register it.
fn enter<C: Choice>(params: &Params, number: u32) -> Option<(Here, C::Index)> {
    let without = params.disabled || (params.disable_mod > 0 && number.is_multiple_of(params.disable_mod));
    let token = rseq_rt::current().filter(|_| !without)?;
    Some((token, C::index(token).ok()?))
}

impl Totals {
    /// Prints what the run saw.
    #[inline(never)]
    pub fn report(&self, name: &str, signals: usize) {
        let [done, aborts, mismatches] = [&self.done, &self.aborts, &self.mismatches].map(|total| total.load(Relaxed));
        let without = self.without.load(Relaxed);
        note!(
            "{name}: {done} done, {aborts} aborts, {mismatches} mismatches, {signals} signals, {without} without rseq"
        );
    }

    /// Every thread either did all of its repetitions or had no rseq by the options' will.
    #[inline(never)]
    pub fn check(&self, params: &Params) -> Verdict {
        let without = self.without.load(Relaxed);
        let expected = match (params.disabled, params.disable_mod) {
            (true, _) => params.threads,
            (false, 0) => 0,
            (false, modulo) => params.threads.div_ceil(modulo),
        };
        test_bins::ensure!(without == expected, "{without} threads without rseq, {expected} expected");
        let wanted = (params.threads - without) as usize * params.reps as usize;
        let done = self.done.load(Relaxed);
        test_bins::ensure!(done == wanted, "{done} repetitions done of {wanted}");
        Ok(())
    }
}

/// What a sum should be and is.
#[inline(never)]
pub fn same(what: &str, expected: usize, found: usize) -> Result<(), Unmet> {
    test_bins::ensure!(found == expected, "{what}: {expected} expected, {found} found");
    Ok(())
}
