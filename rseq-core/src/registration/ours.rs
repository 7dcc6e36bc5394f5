//! Which threads this crate registered, to name the owner when another registration is requested. A thread-local would
//! do, but a shared object cannot have one without a libc.

use crate::arch;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Entries, a power of two.
const CAPACITY: usize = 1024;

/// Entries that a thread may use. If all of them are taken, the thread is not recorded, and an error names an unknown
/// owner.
const PROBES: usize = 16;

/// Thread pointers of registered threads; 0 is a free entry.
static THREADS: [AtomicUsize; CAPACITY] = [const { AtomicUsize::new(0) }; CAPACITY];

/// Records this thread.
pub(super) fn add() {
    let thread = arch::thread_pointer();
    let take = |place: &AtomicUsize| place.compare_exchange(0, thread, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    let _ = places(thread).any(take);
}

/// Removes this thread.
pub(super) fn remove() {
    if let Some(place) = find() {
        place.store(0, Ordering::Relaxed);
    }
}

/// Whether this thread is recorded.
pub(super) fn contains_this_thread() -> bool {
    find().is_some()
}

/// This thread's entry. Only this thread takes it and frees it.
fn find() -> Option<&'static AtomicUsize> {
    let thread = arch::thread_pointer();
    places(thread).find(|place| place.load(Ordering::Relaxed) == thread)
}

/// The entries that a thread may use, by Fibonacci hashing of its thread pointer.
fn places(thread: usize) -> impl Iterator<Item = &'static AtomicUsize> {
    let hash = (thread as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    THREADS.iter().cycle().skip(hash as usize % CAPACITY).take(PROBES)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_thread_is_remembered_until_it_is_removed() {
        let alone = || {
            let before = contains_this_thread();
            add();
            let between = contains_this_thread();
            remove();
            (before, between, contains_this_thread())
        };
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(alone)).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), (false, true, false));
        }
    }
}
