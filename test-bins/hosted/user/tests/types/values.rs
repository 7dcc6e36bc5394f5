//! A value of any type for each CPU: under a lock, and changed by a section of the user's.

use crate::{THREADS, in_threads};
use rseq_core::percpu::{Lock, PerCpu, RemoteError};
use rseq_core::{Committed, OutOfRange, critical_section};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[test]
fn locks() {
    static RECENT: Lock<Vec<usize>> = Lock::new(Vec::new);
    in_threads(|number| RECENT.lock().push(number));
    match RECENT.lock_cpu(0) {
        Ok(mut recent) => recent.push(THREADS),
        Err(RemoteError::NoSlot(0)) => RECENT.lock().push(THREADS),
        Err(error) => panic!("{error}"),
    }
    let mut all: Vec<_> = RECENT.iter().flat_map(|recent| std::mem::take(&mut *recent.unwrap())).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..=THREADS));
    assert!(RECENT.try_lock().is_some_and(|recent| recent.is_empty()));
}

critical_section! {
    /// Adds to the second word if the first one is not 0.
    ///
    /// # Safety
    ///
    /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with two valid words.
    unsafe fn add_if_set(base: *mut Switch, len: usize, count: usize) -> Result<Committed, Left> {
        exits(OutOfRange, Off) scratch(i, word) abort(restart) stride(STRIDE);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, STRIDE);
        add(i, base);
        load(word, [i]);
        cbz(word) else Off;
        commit add([i + 8], count);
    }
}

/// Words of 8 bytes each, on every machine.
#[repr(C, align(8))]
struct Word(AtomicUsize);

#[repr(C)]
struct Switch {
    is_on: Word,
    count: Word,
}

struct Off;

enum Left {
    OutOfRange,
    Off,
}

impl From<OutOfRange> for Left {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

impl From<Off> for Left {
    fn from(_: Off) -> Self {
        Self::Off
    }
}

impl Switch {
    const fn new() -> Self {
        Self { is_on: Word(AtomicUsize::new(1)), count: Word(AtomicUsize::new(0)) }
    }
}

#[test]
fn a_value_with_a_section_of_its_own() {
    static SWITCHES: PerCpu<Switch> = PerCpu::new(Switch::new(), Switch::new);
    let add = |count| {
        SWITCHES.with(
            |token, base, len| {
                // SAFETY: the copies are `len` slots so far apart, which begin with two words.
                match unsafe { add_if_set::<{ PerCpu::<Switch>::STRIDE }, _, _>(token, base, len, count) } {
                    Ok(Committed) => Ok(true),
                    Err(Left::Off) => Ok(false),
                    Err(Left::OutOfRange) => Err(OutOfRange),
                }
            },
            |fallback| {
                let is_on = fallback.is_on.0.load(Relaxed) != 0;
                fallback.count.0.fetch_add(if is_on { count } else { 0 }, Relaxed);
                is_on
            },
        )
    };
    in_threads(|_| assert!(add(2)));
    SWITCHES.iter().for_each(|switch| switch.is_on.0.store(0, Relaxed));
    in_threads(|_| assert!(!add(100)));
    let sum = SWITCHES.iter().map(|switch| switch.count.0.load(Relaxed)).sum::<usize>();
    assert_eq!(sum, 2 * THREADS);
}
