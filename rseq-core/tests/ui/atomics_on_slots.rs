// error: expected closure signature `fn(usize) -> _`
use core::sync::atomic::{AtomicUsize, Ordering};
use rseq_core::percpu::Slots;

fn reset(slots: Slots<'_>) {
    slots.values().for_each(|word: &AtomicUsize| word.store(0, Ordering::Relaxed));
}

fn main() {}
