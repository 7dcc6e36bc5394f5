//! A critical section of one's own over the ambient area: the largest value that each CPU has seen.

use rseq_core::percpu::PossibleCpus;
use rseq_core::{Ambient, Committed, OutOfRange, critical_section, ensure_registered};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// One word a CPU, each on separate cache lines.
#[repr(align(128))]
struct Slot(UnsafeCell<usize>);

const STRIDE: usize = size_of::<Slot>();

// SAFETY: threads write slots by sections and read them by atomic loads only.
unsafe impl Sync for Slot {}

#[derive(Debug)]
enum Missed {
    /// The thread is not registered.
    OutOfRange,
    /// The slot's value is no smaller.
    Smaller,
}

#[derive(Debug)]
struct Smaller;

impl From<OutOfRange> for Missed {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

impl From<Smaller> for Missed {
    fn from(_: Smaller) -> Self {
        Self::Smaller
    }
}

critical_section! {
    /// `slot = max(slot, value)` in the slot of the CPU that this thread is on.
    ///
    /// # Safety
    ///
    /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word.
    unsafe fn raise(base: *mut usize, len: usize, value: usize) -> Result<Committed, Missed> {
        exits(OutOfRange, Smaller) scratch(i, old) abort(restart) stride(STRIDE);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, STRIDE);
        load(old, [base + i]);
        bound(old, value) else Smaller;
        commit store([base + i], value);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let slots: Vec<Slot> = (0..PossibleCpus::read()?.slots_by_cpu()).map(|_| Slot(UnsafeCell::new(0))).collect();
    // Where rseq is not to be had, threads share a word.
    let fallback = AtomicUsize::new(0);
    let note = |value: usize| {
        let base = slots.as_ptr().cast_mut().cast();
        // SAFETY: the slots, which begin with a word.
        match unsafe { raise::<STRIDE, _, _>(Ambient::token(), base, slots.len(), value) } {
            Ok(Committed) | Err(Missed::Smaller) => {}
            Err(Missed::OutOfRange) => drop(fallback.fetch_max(value, Relaxed)),
        }
    };
    thread::scope(|scope| {
        for thread in 0..8 {
            let note = &note;
            scope.spawn(move || {
                let _ = ensure_registered();
                (0..100_000).for_each(|value| note(value * 8 + thread));
            });
        }
    });
    // SAFETY: aligned words that live; atomic, as sections may write them.
    let read = |slot: &Slot| unsafe { AtomicUsize::from_ptr(slot.0.get()) }.load(Relaxed);
    let most = slots.iter().map(read).max().unwrap_or(0).max(fallback.into_inner());
    println!("{most} was the most; rseq is {}", rseq_core::status());
    assert_eq!(most, 99_999 * 8 + 7);
    Ok(())
}
