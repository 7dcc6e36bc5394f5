//! Counters without a delay: the shortest sections there are, run as fast as they go.

use rseq_core::ops::librseq::load_add_store;
use rseq_core::ops::this_cpu;
use rseq_core::{Aborted, Committed, OwnArea};

use super::{Counts, Gauge, Tally, under_load};
use crate::index::{Choice, Here};
use crate::ktap::{OrFail, Verdict};
use crate::load::Worker;
use crate::options::Options;
use crate::slots::{STRIDE, Slots};

/// Additions between two looks at whether to continue.
const BATCH: usize = 64;
/// Additions between two runs of the [`Gauge`], which takes about as long.
const GAUGED: usize = 16 * BATCH;

/// Adds under load with [`load_add_store`] or, `here`, with [`this_cpu::add`], and compares the sum.
pub fn test<C: Choice>(options: &Options, here: bool) -> Verdict {
    C::of(crate::registration::token()?)?;
    let slots = Slots::new().or_fail("memory for the counters")?;
    let tally = Tally::default();
    let work = if here { repeat::<C, true> } else { repeat::<C, false> };
    let (record, kernel) = under_load(options, here, &|worker| tally.add(work(worker, &slots)))?;
    let (done, found) = (tally.done(), slots.sum());
    crate::exact::exact(done as u64, found as u64)?;
    tally.judge(C::NAME, here, &record, kernel)
}

fn repeat<C: Choice, const HERE: bool>(worker: &Worker<'_>, slots: &Slots) -> Option<Counts> {
    let token = rseq_rt::current()?;
    let mut gauge = Gauge::new()?;
    let mut counts = Counts::default();
    let add = if HERE { add_self::<C> } else { add_aimed::<C> };
    while worker.goes_on() {
        let before = counts.aborted;
        for _ in 0..BATCH {
            add(token, slots, &mut counts)?;
        }
        if HERE && counts.done.is_multiple_of(GAUGED) {
            counts.aborted += gauge.restarts::<C>(token)?;
        }
        worker.saw(counts.aborted - before);
    }
    Some(counts)
}

fn add_aimed<C: Choice>(token: Here, slots: &Slots, counts: &mut Counts) -> Option<()> {
    let slot = C::value(token);
    // SAFETY: the slot's own word, and a slot number is not -1 or -2.
    match unsafe { load_add_store(C::of(token).ok()?, slot, slots.word(slot)?, 1) } {
        Ok(Committed) => counts.done += 1,
        Err(Aborted) => counts.aborted += 1,
    }
    Some(())
}

fn add_self<C: Choice>(token: Here, slots: &Slots, counts: &mut Counts) -> Option<()> {
    let token = C::of(token).ok()?;
    // SAFETY: base and number are the slots'.
    unsafe { this_cpu::add::<STRIDE, OwnArea, C>(token, slots.base(), slots.count(), 1) }.ok()?;
    counts.done += 1;
    Some(())
}
