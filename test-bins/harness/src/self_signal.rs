//! One thread with its own timer signal, whose handler adds to the same slots as the thread.
//!
//! The least load that causes an abort: it needs no other thread, no other CPU and no counter of the kernel.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use linux_raw_sys::general::SIGUSR1;
use rseq_core::ops::this_cpu;
use rseq_core::{Aborted, Committed, OwnArea};

use crate::delayed::{DELAY, Delay, ROUNDS, delayed_add, delayed_add_here};
use crate::index::{Choice, Here};
use crate::ktap::{OrFail, Verdict};
use crate::load::signal_period;
use crate::options::PATIENCE;
use crate::slots::{STRIDE, Slots};
use crate::sys::signal::{self, Action};
use crate::sys::time::{Deadline, Ticker};

static BASE: AtomicUsize = AtomicUsize::new(0);
static SLOTS: AtomicUsize = AtomicUsize::new(0);
static ADDED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn add_in_handler<C: Choice>(_: i32) {
    let Some(token) = rseq_rt::current() else { return };
    let Ok(token) = C::of(token) else { return };
    let (base, slots) = (BASE.load(Relaxed) as *mut usize, SLOTS.load(Relaxed));
    // SAFETY: the test keeps the slots as long as their number is here; before and after, the number is 0.
    if unsafe { this_cpu::add::<STRIDE, OwnArea, C>(token, base, slots, 1) }.is_ok() {
        ADDED.fetch_add(1, Relaxed);
    }
}

/// Adds until `enough` aborts or, in a section that restarts itself, `enough` restarts; then compares the sum.
pub fn test<C: Choice>(token: Here, here: bool, enough: usize) -> Verdict {
    let by = C::of(token)?;
    if here {
        let mut add = |slots: &Slots, attempts: *mut usize, from: *const u8, to: *mut u8| {
            let (base, count) = (slots.base(), slots.count());
            // SAFETY: base and count are the slots'; the rest are the caller's locals.
            unsafe { delayed_add_here::<STRIDE, OwnArea, C>(by, base, count, 1, attempts, from, to, DELAY) }.ok()
        };
        return compare(add_in_handler::<C>, &mut |slots| restart(slots, enough, &mut add));
    }
    let mut add = |slots: &Slots, from: *const u8, to: *mut u8| {
        let slot = C::value(token);
        // SAFETY: the slot's own word and the caller's locals; a slot number is not -1 or -2.
        Some(unsafe { delayed_add(by, slot, slots.word(slot)?, 1, from, to, DELAY) })
    };
    compare(add_in_handler::<C>, &mut |slots| retry(slots, enough, &mut add))
}

/// The part that is the same for every index.
fn compare(handler: extern "C" fn(i32), count: &mut dyn FnMut(&Slots) -> Option<(usize, usize)>) -> Verdict {
    let slots = Slots::new().or_fail("memory for the slots")?;
    signal::set(SIGUSR1, Action::Handler(handler)).or_fail("rt_sigaction")?;
    BASE.store(slots.base() as usize, Relaxed);
    SLOTS.store(slots.count(), Relaxed);
    ADDED.store(0, Relaxed);
    let ticker = Ticker::start(SIGUSR1, signal_period::measured().or_fail("a signal")?).or_fail("timer_create")?;
    let counted = count(&slots);
    drop(ticker);
    SLOTS.store(0, Relaxed);
    let (added, aborts) = counted.or_fail("the thread's slot is out of bounds")?;
    let (added, found) = (added + ADDED.load(Relaxed), slots.sum());
    crate::note!("{added} added, {found} found, {aborts} aborts");
    crate::exact::exact(added as u64, found as u64)?;
    crate::in_time!(aborts > 0, "no section was aborted before the deadline");
    Ok(())
}

/// One section that the caller aims; `None` is a thread without a slot.
type Aimed<'a> = &'a mut dyn FnMut(&Slots, *const u8, *mut u8) -> Option<Result<Committed, Aborted>>;

/// One section that restarts itself and counts its attempts.
type Restarting<'a> = &'a mut dyn FnMut(&Slots, *mut usize, *const u8, *mut u8) -> Option<Committed>;

/// The counts added, and the aborts.
fn retry(slots: &Slots, enough: usize, add: Aimed<'_>) -> Option<(usize, usize)> {
    let (mut added, mut aborts) = (0usize, 0);
    let mut delay = Delay::new();
    let (from, to) = delay.ends();
    let deadline = Deadline::after(PATIENCE);
    while aborts < enough && (!added.is_multiple_of(ROUNDS) || !deadline.is_past()) {
        match add(slots, from, to)? {
            Ok(Committed) => added += 1,
            Err(Aborted) => aborts += 1,
        }
    }
    Some((added, aborts))
}

/// The counts added, and the restarts.
fn restart(slots: &Slots, enough: usize, add: Restarting<'_>) -> Option<(usize, usize)> {
    let (mut added, mut attempts) = (0, 0usize);
    let mut delay = Delay::new();
    let (from, to) = delay.ends();
    let deadline = Deadline::after(PATIENCE);
    while attempts - added < enough && (!added.is_multiple_of(ROUNDS) || !deadline.is_past()) {
        let counter = &raw mut attempts;
        add(slots, counter, from, to)?;
        added += 1;
        // SAFETY: the local, which the section wrote.
        attempts = unsafe { counter.read_volatile() };
    }
    Some((added, attempts - added))
}
