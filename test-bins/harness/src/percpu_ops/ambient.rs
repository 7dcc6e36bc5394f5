//! Static counters without a token: by sections where threads are registered, by the fallback where they are not, and
//! by both at once.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rseq_core::percpu::Counter;
use rseq_core::sys::rseq_raw;
use rseq_core::{Cause, Owner, Status, arch, status};

use super::{Counts, Gauge, Tally};
use crate::abort_count::AbortCount;
use crate::index::{ByCpu, ByMmCid, Choice};
use crate::ktap::{OrFail, Verdict};
use crate::load::{Load, Record, Worker, count_signal};
use crate::options::{Options, PATIENCE};
use crate::registration::Registered;

/// Rounds between two runs of the [`Gauge`], which takes much longer.
const GAUGED: usize = 256;

static BY_CPU: Counter = Counter::new();
static BY_MM_CID: Counter<ByMmCid> = Counter::new();

/// Additions of signal handlers.
static HANDLED: AtomicU64 = AtomicU64::new(0);

/// An index that has a static counter.
pub trait Counted: Choice {
    /// The counter.
    fn counter() -> &'static Counter<Self>;
}

impl Counted for ByCpu {
    fn counter() -> &'static Counter {
        &BY_CPU
    }
}

impl Counted for ByMmCid {
    fn counter() -> &'static Counter<Self> {
        &BY_MM_CID
    }
}

/// What a round of a worker adds; None is a worker that cannot work.
type Round = fn(&Worker<'_>) -> Option<u64>;

/// Adds one to both counters, in a signal handler that may interrupt any operation of the thread.
extern "C" fn handle(signal: i32) {
    BY_CPU.inc();
    BY_MM_CID.inc();
    HANDLED.fetch_add(1, Relaxed);
    count_signal(signal);
}

/// Whether sections by this index are on in this thread.
fn is_on<C: Choice>() -> bool {
    matches!(status(), Status::On(_)) && rseq_rt::current().is_some_and(|token| C::of(token).is_ok())
}

/// Every addition is in the sum, under signals whose handlers add too, and moves; aborts are required where sections
/// are on.
pub fn exact<C: Counted>(options: &Options) -> Verdict {
    run::<C>(options, |_| {
        let counter = C::counter();
        counter.inc();
        counter.add(5);
        counter.sub(2);
        Some(4)
    })
}

/// Every addition is in exactly one of the counts that resets return, or in the last sum.
pub fn reset<C: Counted>(options: &Options) -> Verdict {
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    TAKEN.store(0, Relaxed);
    C::counter().reset();
    let verdict = count_all::<C>(options, &TAKEN, |worker| {
        C::counter().inc();
        if worker.index == 0 {
            TAKEN.fetch_add(C::counter().reset(), Relaxed);
        }
        Some(1)
    });
    crate::note!("{}: {} taken by resets", C::NAME, TAKEN.load(Relaxed));
    verdict
}

/// Counts of which four make more than 32 bits: where words have 32, they move on all the time. No sum ever goes back.
pub fn large<C: Counted>(options: &Options) -> Verdict {
    static BACK: AtomicU64 = AtomicU64::new(0);
    const LARGE: u64 = (1 << 30) - 1;
    BACK.store(0, Relaxed);
    C::counter().reset();
    run::<C>(options, |worker| {
        let before = if worker.index == 0 { C::counter().sum() } else { 0 };
        C::counter().add(LARGE);
        C::counter().add(LARGE << 3);
        if worker.index == 0 && C::counter().sum() < before + 9 * LARGE {
            BACK.fetch_add(1, Relaxed);
        }
        Some(9 * LARGE)
    })?;
    crate::ensure!(BACK.load(Relaxed) == 0, "{} sums were too small", BACK.load(Relaxed));
    crate::ensure!(C::counter().sum() > u64::from(u32::MAX), "no more than 32 bits were counted");
    Ok(())
}

/// Threads whose registration other code releases for a while: they add by the fallback then, next to sections.
pub fn mixed<C: Counted>(options: &Options) -> Verdict {
    run::<C>(options, |worker| {
        if worker.index % 2 == 0 || rseq_rt::registration().is_err() {
            C::counter().add(2);
            return Some(2);
        }
        let registered = Registered::by_runtime().ok()?;
        // SAFETY: this thread uses nothing of its registration before it has it again, but for counters, which look
        // first.
        unsafe { registered.release() }.ok()?;
        C::counter().inc();
        let is_off = status() == Status::Off(Cause::ThreadNotRegistered(Owner::Runtime));
        let area = arch::own_area().as_ptr();
        // SAFETY: the thread's own area, which no kernel maintains at this moment; these are fields that threads write.
        unsafe {
            (&raw mut (*area).rseq_cs).write_volatile(0);
            (&raw mut (*area).flags).write_volatile(0);
        }
        // SAFETY: the registration that the runtime had made, and will release.
        unsafe { rseq_raw(registered.address, registered.length, 0, arch::SIGNATURE) }.ok()?;
        C::counter().inc();
        is_off.then_some(2)
    })
}

fn run<C: Counted>(options: &Options, round: Round) -> Verdict {
    count_all::<C>(options, &AtomicU64::new(0), round)
}

fn count_all<C: Counted>(options: &Options, taken: &AtomicU64, round: Round) -> Verdict {
    let (counter, on, tally, added) = (C::counter(), is_on::<C>(), Tally::default(), AtomicU64::new(0));
    let (before, handled, abort_count) = (counter.sum(), HANDLED.load(Relaxed), AbortCount::start());
    let load = Load { handler: handle, ..Load::heavy(options.threads, options.nanoseconds, options.enough) };
    let load = if on { load } else { load.without_aborts() };
    let work = |worker: &Worker<'_>| tally.add(repeat::<C>(worker, on, round, &added));
    let proves = |aborts: usize| match on {
        true => aborts > 0 && abort_count.aborts().map_or(true, |count| count != aborts as u64),
        false => tally.done() > 0,
    };
    let is_done = |record: &Record| tally.broken.load(Relaxed) > 0 || proves(record.events);
    let record = load.run_until(PATIENCE, &is_done, &work).or_fail("the load")?;
    let added = added.load(Relaxed).wrapping_add(HANDLED.load(Relaxed) - handled);
    let found = counter.sum().wrapping_add(taken.load(Relaxed)).wrapping_sub(before);
    crate::exact::exact(added, found)?;
    if on {
        return tally.judge(C::NAME, true, &record, abort_count.aborts());
    }
    crate::note!("{}: {added} added by {} rounds without sections", C::NAME, tally.done());
    crate::ensure!(tally.broken.load(Relaxed) == 0 && tally.done() > 0, "workers could not work");
    Ok(())
}

fn repeat<C: Counted>(worker: &Worker<'_>, on: bool, round: Round, added: &AtomicU64) -> Option<Counts> {
    let mut gauge = Gauge::new()?;
    let (mut counts, mut sum) = (Counts::default(), Some(0u64));
    while let Some(so_far) = sum.filter(|_| worker.goes_on()) {
        sum = round(worker).map(|count| so_far.wrapping_add(count));
        added.fetch_add(sum.map_or(0, |sum| sum.wrapping_sub(so_far)), Relaxed);
        counts.done += 1;
        match counts.done.is_multiple_of(GAUGED) {
            true if on => {
                let restarts = gauge.restarts::<C>(rseq_rt::current()?)?;
                counts.aborted += restarts;
                worker.saw(restarts);
            }
            true => worker.saw_signals(),
            false => {}
        }
    }
    sum.map(|_| counts)
}
