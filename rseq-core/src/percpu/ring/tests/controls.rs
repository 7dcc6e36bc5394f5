//! Rings that are wrong on purpose lose or tear records where right ones do not.

extern crate std;

use super::super::STRIDE;
use super::super::header::State;
use super::super::ring_slot::Slot;
use super::super::{IndexToken, MOST, Ring, RingError, reservation, ring_sections};
use super::{has_sections, size, stay_on_this_cpu};
use crate::ops::this_cpu::Error;
use crate::percpu::ring::header::Header;
use crate::{ByCpu, Release};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The same sections, that the kernel does not know of.
#[allow(dead_code, reason = "one of them is enough")]
mod unarmed {
    use crate::section::{CompareFailed, OutOfRange};

    crate::__ring_sections!(#![unarmed]);
}

/// Within this time a control has to be caught.
const PATIENCE: Duration = Duration::from_secs(60);

type Section = unsafe fn(
    IndexToken<ByCpu>,
    *mut usize,
    usize,
    usize,
    usize,
    usize,
    *const u8,
    usize,
) -> Result<crate::Committed, Error>;

/// A push by this section.
fn push(ring: &Ring, section: Section, record: &[u8]) -> Result<(), RingError> {
    let header = Header::new(record.len(), State::Committed).0;
    let by_section = |token, base: *mut Slot, len| {
        let size = size(record.len());
        // SAFETY: as in `Ring::push`.
        unsafe { section(token, base.cast(), len, MOST, size, header, record.as_ptr(), record.len()) }.map(|_| ())
    };
    // SAFETY: room for this record that only this call writes.
    ring.write_slowly(record.len(), State::Committed, by_section, |at| unsafe { reservation::fill(at, record) })
}

/// Three threads on one CPU fill a new ring, which has room for what they write, with long records: how many are lost.
/// Each record is all zeroes, so that a reader who gets to one in the wrong place takes it for one that is reserved.
fn lost(section: Section) -> u64 {
    const RECORDS: u64 = 400;
    let ring = Ring::<ByCpu>::new(32 << 20);
    stay_on_this_cpu();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..RECORDS).for_each(|_| push(&ring, section, &[0; 16 << 10]).unwrap()));
        }
    });
    3 * RECORDS - ring.consumer().unwrap().read(|_| ()) as u64
}

#[test]
fn sections_that_are_not_armed_lose_records() {
    if !has_sections() {
        return;
    }
    let (began, mut rounds) = (Instant::now(), 0);
    while lost(unarmed::push::<Release, STRIDE, _, _>) == 0 {
        assert!(began.elapsed() < PATIENCE, "nothing was lost in {rounds} rounds");
        rounds += 1;
    }
    for _ in 0..=rounds {
        assert_eq!(lost(ring_sections::push::<Release, STRIDE, _, _>), 0);
    }
}

/// Publishes a record before it is filled.
fn push_early(ring: &Ring, record: &[u8]) -> Result<(), RingError> {
    let (size, header) = (size(record.len()), Header::new(record.len(), State::Committed).0);
    let by_section = |token, base: *mut Slot, len| {
        // SAFETY: as in `Ring::reserve`.
        unsafe { ring_sections::reserve::<Release, STRIDE, _, _>(token, base.cast(), len, MOST, size, header) }
    };
    let at = ring.write_slowly(record.len(), State::Committed, by_section, |at| at)?;
    // SAFETY: room for this record; readers may be looking at it, word by word.
    unsafe { reservation::fill(at, record) };
    Ok(())
}

/// Pushes records of one value each until one is read that has two, or so many records are read: whether one has.
fn is_torn(push: fn(&Ring, &[u8]) -> Result<(), RingError>, most: u64) -> (bool, u64) {
    let ring = Ring::<ByCpu>::overwriting(64 << 10);
    let is_done = AtomicBool::new(false);
    let (mut is_torn, began) = (false, Instant::now());
    thread::scope(|scope| {
        scope.spawn(|| {
            for value in (0..=u8::MAX).cycle().take_while(|_| !is_done.load(Ordering::Relaxed)) {
                let _ = push(&ring, &[value; 2048]);
            }
        });
        let mut consumer = ring.consumer().unwrap();
        while !is_torn && ring.totals().read < most && began.elapsed() < PATIENCE {
            for _ in 0..100 {
                consumer.read(|record| is_torn |= record.iter().any(|&byte| byte != record[0]));
            }
        }
        is_done.store(true, Ordering::Relaxed);
    });
    (is_torn, ring.totals().read)
}

#[test]
fn records_that_are_published_early_are_torn() {
    if !has_sections() {
        return;
    }
    let (torn, read) = is_torn(push_early, u64::MAX);
    assert!(torn, "none of {read}");
    assert!(!is_torn(Ring::push, read.clamp(500, 2000)).0);
}
