//! The threads of a run, and what they saw.

use crate::flavour::{Flavour, Plain};
use crate::inject::{Injector, Point};
use crate::options::Params;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use harness::index::{Choice, Here};
use harness::ktap::{Unmet, Verdict};
use harness::{fail, note, registration};
use rseq_core::ops::librseq;
use rseq_core::{Aborted, Index, OwnArea, Registration, Relaxed, Release};

/// What all threads of a run saw together.
#[derive(Default)]
pub struct Totals {
    /// Repetitions done.
    pub done: AtomicUsize,
    /// Sections that were aborted.
    pub aborts: AtomicUsize,
    /// Comparisons that failed.
    pub mismatches: AtomicUsize,
    /// Threads without rseq.
    pub without: AtomicU32,
    /// Operations of theirs that were refused.
    pub refused: AtomicUsize,
    /// Threads that found something wrong.
    pub wrong: AtomicU32,
}

/// One thread of a run.
pub struct Worker<'p, F: Flavour, C: Choice> {
    token: Here<C>,
    injector: Injector<'p>,
    aborts: usize,
    mismatches: usize,
    flavour: PhantomData<F>,
}

/// Why an attempt did not commit.
#[derive(Clone, Copy)]
pub enum Stop {
    Aborted,
    CompareFailed,
    /// There was nothing to take, or no room: there is no next attempt.
    Exhausted,
}

impl From<Aborted> for Stop {
    fn from(Aborted: Aborted) -> Self {
        Self::Aborted
    }
}

impl From<librseq::Error> for Stop {
    fn from(error: librseq::Error) -> Self {
        match error {
            librseq::Error::Aborted => Self::Aborted,
            librseq::Error::CompareFailed => Self::CompareFailed,
        }
    }
}

impl<F: Flavour, C: Choice> Worker<'_, F, C> {
    /// Runs `attempt` on the slot of the moment, again and again, until it commits. None where it is exhausted.
    #[inline(always)]
    pub fn retry<T>(&mut self, attempt: impl Fn(Here<C>, usize) -> Result<T, Stop> + Copy) -> Option<T> {
        if F::INJECTS {
            return self.until_done(attempt);
        }
        match self.once(attempt) {
            Ok(done) => Some(done),
            Err(stop) => self.again(stop, attempt),
        }
    }

    // Out of line, as are its attempts: a loop would lie between what commits and what follows it.
    #[cold]
    #[inline(never)]
    fn again<T>(&mut self, stop: Stop, attempt: impl Fn(Here<C>, usize) -> Result<T, Stop> + Copy) -> Option<T> {
        self.goes_on(stop).then(|| self.until_done(attempt)).flatten()
    }

    fn until_done<T>(&mut self, attempt: impl Fn(Here<C>, usize) -> Result<T, Stop> + Copy) -> Option<T> {
        loop {
            match self.once(attempt) {
                Ok(done) => return Some(done),
                Err(stop) if self.goes_on(stop) => {}
                Err(_) => return None,
            }
        }
    }

    /// Counts an attempt that did not commit. Whether there is a next one.
    fn goes_on(&mut self, stop: Stop) -> bool {
        match stop {
            Stop::Aborted => self.aborts += 1,
            Stop::CompareFailed | Stop::Exhausted => self.mismatches += 1,
        }
        !matches!(stop, Stop::Exhausted)
    }

    /// One attempt on the slot of the moment.
    #[inline(always)]
    fn once<T>(&mut self, attempt: impl Fn(Here<C>, usize) -> Result<T, Stop>) -> Result<T, Stop> {
        self.inject(Point::Before);
        let slot = self.token.slot() as usize;
        self.inject(Point::Between);
        let result = attempt(self.token, slot);
        self.inject(Point::After);
        result
    }

    #[inline(always)]
    fn inject(&mut self, point: Point) {
        if F::INJECTS {
            self.injector.at(point);
        }
    }
}

/// Starts the threads of a run; each does `work` once for each repetition. False from `work` ends the thread as wrong.
pub fn run<F: Flavour, C: Choice>(
    params: &Params,
    totals: &Totals,
    work: impl Fn(&mut Worker<'_, F, C>) -> bool + Copy + Sync,
) -> Verdict {
    // A copy of the thread's own: what it captures stays in registers, whatever sections do to memory.
    let repeat = move |worker: &mut Worker<'_, F, C>| {
        let work = work;
        (0..params.reps).take_while(|_| work(worker)).count()
    };
    start(params, totals, &|number| thread::<F, C>(params, number, totals, &repeat).is_some())
}

/// Starts threads, each with its number; false from one says that it found something wrong.
fn start(params: &Params, totals: &Totals, thread: &(dyn Fn(u32) -> bool + Sync)) -> Verdict {
    let started = rseq_rt::thread::scope(|scope| {
        let begin = |number| {
            let wrong = move || totals.wrong.fetch_add(u32::from(!thread(number)), Ordering::Relaxed);
            scope.spawn(wrong).map(drop)
        };
        (0..params.threads).try_for_each(begin)
    });
    started.map_err(|errno| fail!("starting {} threads: {errno}", params.threads))?;
    match totals.wrong.load(Ordering::Relaxed) {
        0 => Ok(()),
        wrong => Err(fail!("{wrong} threads found something wrong")),
    }
}

/// A whole thread's work; it returns the repetitions done.
type Work<'w, F, C> = dyn Fn(&mut Worker<'_, F, C>) -> usize + Sync + 'w;

/// `None` if something is wrong.
fn thread<F: Flavour, C: Choice>(params: &Params, number: u32, totals: &Totals, work: &Work<'_, F, C>) -> Option<()> {
    let (own, token) = enter(params)?;
    let token = C::of(token).ok()?;
    if params.is_without(number) {
        own?.release().ok()?;
        totals.without.fetch_add(1, Ordering::Relaxed);
        totals.refused.fetch_add(refused::<C>(params, token)?, Ordering::Relaxed);
        return Some(());
    }
    let injector = Injector::new(params);
    let mut worker: Worker<'_, F, C> = Worker { token, injector, aborts: 0, mismatches: 0, flavour: PhantomData };
    let done = work(&mut worker);
    totals.add(params, number, [done, worker.aborts, worker.mismatches]);
    (done == params.reps as usize).then_some(())
}

#[inline(never)]
fn enter(params: &Params) -> Option<(Option<Registration<OwnArea>>, Here)> {
    let own = if params.by_hand() { Some(register(params).ok()?) } else { None };
    Some((own, rseq_rt::current()?))
}

/// Registers this thread's own area, as the options ask for.
pub fn register(params: &Params) -> Result<Registration<OwnArea>, Unmet> {
    // SAFETY: the area is in this thread's thread-local storage, and the registration does not leave the thread: it is
    // released before the thread ends, or it is the main thread's.
    unsafe { Registration::<OwnArea>::own(params.mode()) }.map_err(registration::refused)
}

/// With the proofs of a registration that has ended: on the slot of the moment, and on the first, every operation has
/// to be refused, and to leave memory as it is. How many repetitions of all were.
fn refused<C: Choice>(params: &Params, token: Here<C>) -> Option<usize> {
    for rep in 0..params.reps {
        let slot = if rep.is_multiple_of(2) { rseq_core::sys::getcpu().ok()?.cpu as usize } else { 0 };
        refused_at(token, slot)?;
    }
    Some(params.reps as usize)
}

/// What operations in a thread without rseq must not change.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
struct Untouched {
    /// The address of itself, so that what it leads to is a word too.
    v: usize,
    v2: usize,
    /// Where a link is, 8 bytes after `v`, if a word is shorter.
    link: usize,
}

fn refused_at<I: Index>(token: Here<I>, slot: usize) -> Option<()> {
    let mut memory = Untouched { v: 0, v2: 2, link: 0 };
    let v = (&raw mut memory).cast::<usize>();
    let v2 = v.wrapping_add(1);
    // SAFETY: both words are the local's.
    unsafe { v.write(v as usize) };
    let (before, expect) = (Untouched { v: v as usize, v2: 2, link: 0 }, v as usize);
    // SAFETY: `v` and `v2` are words of the local, and so is what `v` leads to; bytes are copied from the one to the
    // other; a slot number is not -1 or -2.
    let all = unsafe {
        [
            Plain.load_cbne_store(token, slot, v, expect, 1),
            Plain.increment(token, slot, v2).map_err(librseq::Error::from),
            Plain.load_cbz_store_load_store(token, slot, v, v2),
            Plain.load_add_load_load_increment(token, slot, v, 0).map_err(librseq::Error::from),
            Plain.load_cbne_load_cbne_store(token, slot, v, expect, v2, 2, 1),
            Plain.load_cbne_store_store::<Relaxed, _>(token, slot, v, expect, v2, 1, 1),
            Plain.load_cbne_memcpy_store::<Release, _>(token, slot, v, expect, v2.cast(), v.cast(), 4, 1),
        ]
    };
    // SAFETY: the local, which sections may have written.
    let after = unsafe { v.cast::<Untouched>().read_volatile() };
    (all.iter().all(|result| *result == Err(librseq::Error::Aborted)) && after == before).then_some(())
}

impl Totals {
    #[inline(never)]
    fn add(&self, params: &Params, number: u32, counts: [usize; 3]) {
        let [done, aborts, mismatches] = counts;
        for (total, count) in [&self.done, &self.aborts, &self.mismatches].into_iter().zip(counts) {
            total.fetch_add(count, Ordering::Relaxed);
        }
        if params.verbose {
            note!("thread {number}: {done} done, {aborts} aborted and retried, {mismatches} comparisons failed");
        }
    }

    /// Prints what the run saw.
    #[inline(never)]
    pub fn report(&self, name: &str, signals: usize) {
        let [done, aborts, mismatches] =
            [&self.done, &self.aborts, &self.mismatches].map(|total| total.load(Ordering::Relaxed));
        let [without, refused] = [self.without.load(Ordering::Relaxed) as usize, self.refused.load(Ordering::Relaxed)];
        note!("{name}: {done} done, {aborts} aborted and retried, {mismatches} comparisons failed, {signals} signals");
        if without > 0 {
            note!("{name}: {without} threads without rseq, {refused} operations refused");
        }
    }

    /// Every thread either did all of its repetitions or had no rseq by the options' will.
    #[inline(never)]
    pub fn check(&self, params: &Params) -> Verdict {
        let without = self.without.load(Ordering::Relaxed);
        let expected = (0..params.threads).filter(|number| params.is_without(*number)).count() as u32;
        harness::ensure!(without == expected, "{without} threads without rseq, {expected} expected");
        let wanted = (params.threads - without) as usize * params.reps as usize;
        let refused = self.refused.load(Ordering::Relaxed);
        harness::ensure!(refused == without as usize * params.reps as usize, "only {refused} operations were refused");
        let done = self.done.load(Ordering::Relaxed);
        harness::ensure!(done == wanted, "{done} repetitions done of {wanted}");
        Ok(())
    }
}

/// What a sum should be and is.
#[inline(never)]
pub fn same(what: &str, expected: usize, found: usize) -> Result<(), Unmet> {
    harness::ensure!(found == expected, "{what}: {expected} expected, {found} found");
    Ok(())
}
