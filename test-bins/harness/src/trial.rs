//! Delayed counters under load: the counts added, the counts found, the aborts.
//!
//! Workers and the signal handler that interrupts them add to the same slots. The handler's section is always armed, so
//! that only the workers can cause a loss.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use rseq_core::{Aborted, Committed, OutOfRange, OwnArea};

use crate::abort_count::{AbortCount, Absence};
use crate::delayed::{DELAY, Delay, delayed_add, delayed_add_here, delayed_add_here_unarmed, delayed_add_unarmed};
use crate::index::{Choice, Here};
use crate::ktap::{OrFail, Unmet};
use crate::load::{self, Load, Record, Worker};
use crate::options::{Options, PATIENCE};
use crate::slots::{STRIDE, Slots};
use crate::sys::time::{MILLISECOND, SECOND};

/// What one trial found.
pub struct Trial {
    /// What the workers and the handler added.
    pub added: usize,
    /// What the slots hold.
    pub found: usize,
    /// Aborts and restarts that the workers saw.
    pub aborts: usize,
    /// Aborts that the kernel counted.
    pub kernel: Result<u64, Absence>,
    /// Workers that ended at a section that found no slot for an index that has one.
    pub misread: u32,
}

impl Trial {
    /// The counts that are gone.
    pub fn lost(&self) -> usize {
        self.added.saturating_sub(self.found)
    }

    /// Prints the trial as a diagnostic line.
    pub fn report(&self, name: &str) {
        let (added, found, aborts) = (self.added, self.found, self.aborts);
        match self.kernel {
            Ok(kernel) => {
                crate::note!("{name}: {added} added, {found} found, {aborts} aborts, {kernel} by the kernel's count")
            }
            Err(absence) => crate::note!("{name}: {added} added, {found} found, {aborts} aborts ({absence})"),
        }
    }

    /// The verdict on armed sections: every count is there, and aborts were seen.
    pub fn is_exact(&self) -> crate::ktap::Verdict {
        crate::ensure!(self.added > 0, "no section committed");
        self.found_slots()?;
        crate::exact::exact(self.added as u64, self.found as u64)?;
        crate::in_time!(self.aborts > 0, "no section was aborted before the deadline: the load proves nothing");
        if matches!(self.kernel, Ok(0)) {
            crate::note!("the kernel's counter misses aborts, or all were moves; it is not relied on");
        }
        Ok(())
    }

    /// Each section found a slot for its index.
    pub fn found_slots(&self) -> crate::ktap::Verdict {
        crate::ensure!(self.misread == 0, "{} sections found no slot for an index that has one", self.misread);
        Ok(())
    }

    /// The verdict on unarmed sections: counts are missing.
    pub fn is_lossy(&self) -> crate::ktap::Verdict {
        crate::ensure!(self.added > 0, "no section committed");
        self.found_slots()?;
        crate::ensure!(self.found <= self.added, "{} added but {} found", self.added, self.found);
        crate::in_time!(self.lost() > 0, "nothing was lost before the deadline: the load proves nothing");
        Ok(())
    }
}

/// A section that the caller aims at a slot.
type Aimed<I> = unsafe fn(Here<I>, usize, *mut usize, usize, *const u8, *mut u8, usize) -> Result<Committed, Aborted>;

/// A section that finds its slot itself.
type Here_<I> = unsafe fn(
    Here<I>,
    *mut usize,
    usize,
    usize,
    *mut usize,
    *const u8,
    *mut u8,
    usize,
) -> Result<Committed, OutOfRange>;

/// The section under test.
pub enum Section<I> {
    /// The caller picks the slot and handles the abort.
    Aimed(Aimed<I>),
    /// The section loads the index and restarts itself.
    Here(Here_<I>),
}

impl<I: rseq_core::Index> Section<I> {
    /// [`delayed_add`] or its control.
    pub fn aimed(armed: bool) -> Self {
        Self::Aimed(if armed { delayed_add::<OwnArea, I> } else { delayed_add_unarmed::<OwnArea, I> })
    }

    /// [`delayed_add_here`] or its control.
    pub fn here(armed: bool) -> Self {
        Self::Here(if armed {
            delayed_add_here::<STRIDE, OwnArea, I>
        } else {
            delayed_add_here_unarmed::<STRIDE, OwnArea, I>
        })
    }
}

/// What the signal handler adds to, and how often it did.
static HANDLER_BASE: AtomicUsize = AtomicUsize::new(0);
static HANDLER_SLOTS: AtomicUsize = AtomicUsize::new(0);
static HANDLER_ADDED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn add_and_count<C: Choice>(signal: i32) {
    load::count_signal(signal);
    let base = HANDLER_BASE.load(Relaxed) as *mut usize;
    let slots = HANDLER_SLOTS.load(Relaxed);
    let Some(token) = rseq_rt::current() else { return };
    let Ok(token) = C::of(token) else { return };
    // SAFETY: the trial that set the base keeps its slots until every signalled thread has been joined; before the
    // first trial there are 0 slots.
    let added = unsafe { rseq_core::ops::this_cpu::add::<STRIDE, OwnArea, C>(token, base, slots, 1) };
    if added.is_ok() {
        HANDLER_ADDED.fetch_add(1, Relaxed);
    }
}

/// Runs `section` under load until `options.enough` aborts. With `until_lost` it runs until that many losses, or until
/// fewer in a second; if there are none, up to [`PATIENCE`].
pub fn run<C: Choice>(options: &Options, section: &Section<C>, until_lost: bool) -> Result<Trial, Unmet> {
    let token = crate::registration::token()?;
    C::of(token)?;
    let slots = Slots::new().or_fail("memory for the slots")?;
    HANDLER_BASE.store(slots.base() as usize, Relaxed);
    HANDLER_SLOTS.store(slots.count(), Relaxed);
    HANDLER_ADDED.store(0, Relaxed);
    let abort_count = AbortCount::start();
    let totals = Totals::default();
    let mut load = Load::heavy(options.threads, options.nanoseconds, options.enough);
    load.handler = add_and_count::<C>;
    if until_lost {
        load.nanoseconds = 100 * MILLISECOND;
    }
    let seen = |record: &Record| match until_lost {
        true => {
            let lost = totals.added().saturating_sub(slots.sum());
            lost >= options.enough || (lost > 0 && record.nanoseconds >= SECOND)
        }
        false => totals.aborts.load(Relaxed) > 0 && abort_count.has_counted(record.nanoseconds),
    };
    load.run_until(PATIENCE, &seen, &|worker| totals.take(count::<C>(worker, &slots, section))).or_fail("the load")?;
    HANDLER_SLOTS.store(0, Relaxed);
    crate::ensure!(totals.unregistered.load(Relaxed) == 0, "a worker thread was not registered");
    let trial = Trial {
        misread: totals.misread.load(Relaxed),
        added: totals.added(),
        found: slots.sum(),
        aborts: totals.aborts.load(Relaxed),
        kernel: abort_count.aborts(),
    };
    Ok(trial)
}

#[derive(Default)]
struct Totals {
    added: AtomicUsize,
    aborts: AtomicUsize,
    unregistered: AtomicU32,
    misread: AtomicU32,
}

impl Totals {
    fn added(&self) -> usize {
        self.added.load(Relaxed) + HANDLER_ADDED.load(Relaxed)
    }

    fn take(&self, worked: Option<Worked>) {
        match worked {
            Some(Worked { added, aborts, misread }) => {
                self.added.fetch_add(added, Relaxed);
                self.aborts.fetch_add(aborts, Relaxed);
                self.misread.fetch_add(u32::from(misread), Relaxed);
            }
            None => {
                self.unregistered.fetch_add(1, Relaxed);
            }
        }
    }
}

/// What one worker did.
struct Worked {
    added: usize,
    aborts: usize,
    /// Whether it ended at a section that found no slot for an index that has one.
    misread: bool,
}

/// One worker; `None` in a thread without a registration.
fn count<C: Choice>(worker: &Worker<'_>, slots: &Slots, section: &Section<C>) -> Option<Worked> {
    let token = rseq_rt::current()?;
    match section {
        Section::Aimed(add) => count_aimed::<C>(worker, token, slots, *add),
        Section::Here(add) => count_here::<C>(worker, token, slots, *add),
    }
}

fn count_aimed<C: Choice>(worker: &Worker<'_>, token: Here, slots: &Slots, add: Aimed<C>) -> Option<Worked> {
    let (mut added, mut aborts) = (0, 0);
    let mut delay = Delay::new();
    let (from, to) = delay.ends();
    while worker.goes_on() {
        let slot = C::value(token);
        let word = slots.word(slot)?;
        // SAFETY: `word` is slot `slot`'s, the delay's ends are this thread's own, and a slot number is no -1 or -2.
        match unsafe { add(C::of(token).ok()?, slot, word, 1, from, to, DELAY) } {
            Ok(Committed) => added += 1,
            Err(Aborted) => {
                aborts += 1;
                worker.saw(1);
            }
        }
    }
    Some(Worked { added, aborts, misread: false })
}

fn count_here<C: Choice>(worker: &Worker<'_>, token: Here, slots: &Slots, add: Here_<C>) -> Option<Worked> {
    let (mut added, mut attempts, mut misread) = (0, 0usize, false);
    let mut delay = Delay::new();
    let (from, to) = delay.ends();
    while worker.goes_on() {
        let before = attempts;
        let (here, counter) = (C::of(token).ok()?, &raw mut attempts);
        // SAFETY: base and count are the slots', `attempts` and the delay's ends are this thread's own.
        let result = unsafe { add(here, slots.base(), slots.count(), 1, counter, from, to, DELAY) };
        // SAFETY: a local with a value, which nothing but the section writes.
        attempts = unsafe { counter.read_volatile() };
        if result.is_err() {
            slots.word(C::value(token))?;
            misread = true;
            break;
        }
        added += 1;
        worker.saw(attempts - before - 1);
    }
    Some(Worked { added, aborts: attempts - added, misread })
}
