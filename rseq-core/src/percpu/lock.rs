//! A lock for slow paths.

use crate::sys;
use core::cell::UnsafeCell;
use core::fmt;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A lock that spins. Signals are blocked while it is held, so handlers may take it too.
///
/// The lock names the process whose thread holds it. A child of `fork` has no such thread, so it takes the lock over,
/// with the value as it was at the fork. A value whose changes take several stores must therefore be valid after each
/// of them. A panic frees the lock, and leaves the value as it is in the same way.
pub(super) struct SpinLock<T> {
    /// The generation of the process whose thread holds it, or 0.
    holder: AtomicUsize,
    value: UnsafeCell<T>,
}

/// The word of a lock that this thread holds; dropping it frees the lock, after a panic too.
struct Held<'a>(&'a AtomicUsize);

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

// SAFETY: `with` lets one thread at a time reach the value, for which `T: Send` is enough.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    pub(super) const fn new(value: T) -> Self {
        Self { holder: AtomicUsize::new(0), value: UnsafeCell::new(value) }
    }

    /// Runs `work` with exclusive access to the value.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        sys::with_signals_blocked(|| {
            self.acquire(sys::generation());
            let _held = Held(&self.holder);
            // SAFETY: this thread has changed the word from 0, or from a process that has no thread here, to this
            // process. So it alone has the value until `_held` changes the word back, after `work`.
            work(unsafe { &mut *self.value.get() })
        })
    }

    /// `process` is the generation of the calling process.
    fn acquire(&self, process: usize) {
        loop {
            let holder = self.holder.load(Ordering::Relaxed);
            if holder == process {
                spin_loop();
                sys::yield_now();
            } else if self.holder.compare_exchange(holder, process, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    /// The value, without the lock: the borrow is exclusive.
    pub(super) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T> fmt::Debug for SpinLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpinLock").field("holder", &self.holder).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(miri), not(rseq_stub)))]
mod tests {
    extern crate std;

    use super::*;
    use crate::sys::in_child;

    #[test]
    fn a_child_of_fork_takes_a_lock_over_and_its_parent_keeps_it() {
        let lock = SpinLock::new(1);
        let child = lock.with(|value| {
            *value = 7;
            in_child(|| {
                const SIGALRM: u32 = 14;
                let limited = sys::unblock_only(SIGALRM) && sys::alarm_after(20_000_000).is_ok();
                lock.acquire(sys::generation());
                // SAFETY: the lock names this process, whose only thread this is.
                if limited { unsafe { *lock.value.get() } } else { 0 }
            })
        });
        assert_eq!(child, Ok(Some(7)));
        assert_eq!(lock.with(|value| *value), 7);
    }

    #[test]
    fn a_panic_frees_the_lock_and_restores_the_signal_mask() {
        let lock = SpinLock::new(1);
        let before = sys::blocked_signals();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            lock.with(|value| {
                assert_ne!(sys::blocked_signals(), before);
                *value = 7;
                panic!("for the test")
            })
        }));
        assert_eq!((panicked.is_err(), sys::blocked_signals()), (true, before));
        assert_eq!(lock.holder.load(Ordering::Relaxed), 0);
        assert_eq!(lock.with(|value| *value), 7);
    }
}
