//! increment and spinlock: counts that must add up.

use crate::flavour::Flavour;
use crate::options::Params;
use crate::workers::{self, Totals, same};
use core::sync::atomic::{AtomicUsize, Ordering, fence};
use harness::exact::exact;
use harness::index::Choice;
use harness::ktap::{OrFail, Verdict};
use harness::slots::{SECOND, Slots};

/// Each thread adds one to the slot of its index, again and again.
pub fn increment<F: Flavour, C: Choice>(flavour: F, params: &Params, totals: &Totals) -> Verdict {
    let slots = Slots::new().or_fail("memory for the slots")?;
    let words = slots.view();
    workers::run::<F, C>(params, totals, move |worker| {
        let done = worker.retry(move |token, slot| {
            // SAFETY: the word is the slot's, and a slot number is not -1 or -2.
            Ok(unsafe { flavour.increment(token, slot, words.word(slot)) }?)
        });
        done.is_some()
    })?;
    exact(totals.done.load(Ordering::Relaxed) as u64, slots.sum() as u64)
}

/// Each thread takes its slot's lock, adds one to a plain counter beside it, and releases the lock, wherever it is by
/// then.
pub fn spinlock<F: Flavour, C: Choice>(flavour: F, params: &Params, totals: &Totals) -> Verdict {
    let slots = Slots::new().or_fail("memory for the slots")?;
    let words = slots.view();
    workers::run::<F, C>(params, totals, move |worker| {
        let taken = worker.retry(move |token, slot| {
            let lock = words.word(slot);
            // SAFETY: the word is the slot's, and a slot number is not -1 or -2.
            unsafe { flavour.load_cbne_store(token, slot, lock, 0, 1) }?;
            Ok(lock)
        });
        let Some(taken) = taken else { return false };
        fence(Ordering::Acquire);
        // SAFETY: the lock is held, so no other thread touches the count, the slot's second word, until the release
        // below; both words live as long as the slots, which outlive the threads.
        unsafe {
            *taken.wrapping_byte_add(SECOND) += 1;
            let lock = AtomicUsize::from_ptr(taken);
            let held = lock.load(Ordering::Relaxed) == 1;
            lock.store(0, Ordering::Release);
            held
        }
    })?;
    same("the locks still held", 0, slots.sum())?;
    exact(totals.done.load(Ordering::Relaxed) as u64, slots.sum_of_seconds() as u64)
}
