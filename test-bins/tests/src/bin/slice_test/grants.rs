//! The four ways in which a grant ends.

use harness::ktap::{OrFail, Verdict};
use harness::slices::Counts;
use harness::sys::process;
use harness::{ensure, note, skip};
use rseq_core::sys::Errno;
use rseq_core::{SliceGuard, SliceOutcome};

use crate::calls::control;
use crate::share::Share;

/// Grants of each kind.
const ENOUGH: u32 = 5;

/// The other thread waits for as long as the grant is held, and has the CPU in the yield.
pub fn yielded(share: &Share<'_>) -> Verdict {
    let (mut in_time, mut late, mut served, mut early) = (0, 0, 0, 0);
    share.until(&mut |guard| {
        let before = share.noise.turns();
        share.microseconds(2);
        let held = share.noise.turns();
        match guard.end() {
            SliceOutcome::Yielded => {
                in_time += 1;
                early += u32::from(held != before);
                served += u32::from(share.noise.turns() != before);
            }
            _ => late += 1,
        }
        in_time >= ENOUGH && served > 0
    })?;
    note!("{in_time} grants yielded in time, {late} too late; in {served} of the yields the other thread ran");
    ensure!(early == 0, "in {early} of {in_time} grants the other thread ran before the yield");
    ensure!(control(share.token) == 0, "request and grant are {:#x} at the end", control(share.token));
    Ok(())
}

/// What a user of the guard writes: no look at the outcome.
pub fn dropped(share: &Share<'_>) -> Verdict {
    let before = Counts::read().map_err(|errno| skip!("no debugfs rseq/stats: {errno}"))?;
    let mut after = Ok(before);
    let mut left = 0;
    share.until(&mut |guard| {
        drop(guard);
        left |= control(share.token);
        after = Counts::read();
        after.is_err() || after.is_ok_and(|after| after.since(before).yielded >= u64::from(ENOUGH))
    })?;
    note!("{}", after.or_fail("rseq/stats")?.since(before));
    ensure!(left == 0, "request and grant are {left:#x} after a drop");
    Ok(())
}

/// How long a grant may last at most in this test, in microseconds: a thousand times what the kernel allows.
const ENDLESS: u64 = 50_000;

/// A guard that is held for too long: the kernel takes the CPU, and its timer says so.
pub fn expired(share: &Share<'_>) -> Verdict {
    let (mut ended, mut endless, mut wrong) = (0u32, false, None);
    counted(share, "expired", |counts| counts.expired, &mut |guard| {
        let runs_out = (0..ENDLESS).any(|_| {
            share.microseconds(1);
            !guard.is_granted()
        });
        endless |= !runs_out;
        ended += 1;
        let outcome = guard.end();
        wrong = wrong.or((outcome != SliceOutcome::Revoked).then_some(outcome));
        endless || wrong.is_some()
    })?;
    ensure!(!endless, "a grant was not taken back within {ENDLESS} microseconds");
    ensure!(wrong.is_none(), "an outcome is {wrong:?}, expected Revoked");
    note!("{ended} grants ran out");
    Ok(())
}

/// Any system call but the yield.
pub fn aborted(share: &Share<'_>) -> Verdict {
    let (mut survived, mut wrong) = (0, None);
    counted(share, "aborted", |counts| counts.aborted, &mut |guard| {
        process::id();
        survived += u32::from(guard.is_granted());
        let outcome = guard.end();
        wrong = wrong.or((outcome != SliceOutcome::Revoked).then_some(outcome));
        survived > 0 || wrong.is_some()
    })?;
    ensure!(survived == 0, "a grant survived a system call");
    ensure!(wrong.is_none(), "an outcome is {wrong:?}, expected Revoked");
    Ok(())
}

/// Takes grants until the kernel has counted [`ENOUGH`] of what `take` does to them, or `take` has seen something
/// wrong; where the kernel keeps no counts, [`ENOUGH`] grants.
fn counted(
    share: &Share<'_>,
    what: &str,
    of: fn(Counts) -> u64,
    take: &mut dyn FnMut(SliceGuard<'_>) -> bool,
) -> Verdict {
    let before = Counts::read();
    let (mut taken, mut seen) = (0u32, 0);
    share.until(&mut |guard| {
        let wrong = take(guard);
        taken += 1;
        seen = since(before, of).unwrap_or(u64::from(taken));
        wrong || seen >= u64::from(ENOUGH)
    })?;
    match before {
        Ok(_) => note!("{taken} grants, {seen} {what} by the kernel's count"),
        Err(errno) => note!("{taken} grants; no debugfs rseq/stats: {errno}"),
    }
    Ok(())
}

fn since(before: Result<Counts, Errno>, of: fn(Counts) -> u64) -> Result<u64, Errno> {
    Ok(of(Counts::read()?.since(before?)))
}
