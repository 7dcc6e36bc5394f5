//! A spinlock per slot: taken by compare-and-store in a section, released by a plain release store.

use core::sync::atomic::{AtomicUsize, Ordering, fence};

use rseq_core::Committed;
use rseq_core::ops::librseq::{self, load_cbne_store};

use super::{Counts, Tally, under_load};
use crate::index::{Choice, Here};
use crate::ktap::{OrFail, Verdict};
use crate::load::Worker;
use crate::options::Options;
use crate::slots::Slots;
use crate::sys::time;

/// How long a lock is held, in iterations of a loop: long enough to be interrupted.
const HELD: usize = 16;

/// Counts under the slots' locks, and compares the sum.
pub fn test<C: Choice>(options: &Options) -> Verdict {
    C::of(crate::registration::token()?)?;
    let locks = Slots::new().or_fail("memory for the locks")?;
    let counts = Slots::new().or_fail("memory for the counts")?;
    let tally = Tally::default();
    let (record, kernel) = under_load(options, false, &|worker| tally.add(work::<C>(worker, &locks, &counts)))?;
    let (done, found) = (tally.done(), counts.sum());
    crate::exact::exact(done as u64, found as u64)?;
    crate::ensure!(locks.sum() == 0, "a lock is still held");
    tally.judge(C::NAME, false, &record, kernel)
}

fn work<C: Choice>(worker: &Worker<'_>, locks: &Slots, slots: &Slots) -> Option<Counts> {
    let token = rseq_rt::current()?;
    let mut counts = Counts::default();
    while worker.goes_on() {
        let slot = lock::<C>(worker, token, locks, &mut counts)?;
        let count = slots.word(slot)?;
        // SAFETY: the slot's word, which only the holder of the slot's lock touches.
        let before = unsafe { count.read_volatile() };
        (0..HELD).for_each(|turn| _ = core::hint::black_box(turn));
        // SAFETY: as above.
        unsafe { count.write_volatile(before + 1) };
        counts.done += 1;
        unlock(locks.word(slot)?);
    }
    Some(counts)
}

/// Takes the lock of the slot that this thread is on, and returns the slot's number.
fn lock<C: Choice>(worker: &Worker<'_>, token: Here, locks: &Slots, counts: &mut Counts) -> Option<usize> {
    loop {
        let slot = C::value(token);
        // SAFETY: the slot's own word, and a slot number is not -1 or -2.
        match unsafe { load_cbne_store(C::of(token).ok()?, slot, locks.word(slot)?, 0, 1) } {
            Ok(Committed) => {
                // What the last holder wrote is visible after its release store was seen.
                fence(Ordering::Acquire);
                return Some(slot);
            }
            Err(librseq::Error::Aborted) => {
                counts.aborted += 1;
                worker.saw(1);
            }
            // The holder may be waiting for this CPU.
            Err(librseq::Error::CompareFailed) => {
                counts.compare_failed += 1;
                time::yield_now();
            }
        }
    }
}

fn unlock(lock: *mut usize) {
    // SAFETY: a word of the locks' slots, aligned and mapped; the sections of other threads access it as one word.
    unsafe { AtomicUsize::from_ptr(lock) }.store(0, Ordering::Release);
}
