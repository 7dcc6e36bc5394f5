//! A lock for what happens seldom.

use crate::sys;
use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

/// A lock that spins. Signals are blocked while it is held, so handlers may take it too.
pub(super) struct SpinLock<T> {
    /// The process of the thread that has it, or 0.
    holder: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time, which `with` sees to.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    pub(super) const fn new(value: T) -> Self {
        Self { holder: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// Runs `work` with the value, which no other thread has meanwhile.
    ///
    /// It never ends in a child of `fork` if another thread of the parent had the lock: see [`try_with`](Self::try_with).
    #[cfg_attr(target_has_atomic = "64", allow(dead_code, reason = "counters of 64 bits use it elsewhere"))]
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        sys::with_signals_blocked(|| {
            let process = process();
            while self.take(process).is_err() {
                sys::yield_now();
            }
            self.run(work)
        })
    }

    /// As [`with`](Self::with). None in a child of `fork` if another thread of the parent had the lock then: that
    /// thread is not in the child, and its change may be half done.
    pub(super) fn try_with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        sys::with_signals_blocked(|| {
            let process = process();
            loop {
                match self.take(process) {
                    Ok(()) => return Some(self.run(work)),
                    Err(holder) if holder != process => return None,
                    Err(_) => sys::yield_now(),
                }
            }
        })
    }

    /// Takes the lock if it is free, else returns the process that holds it.
    fn take(&self, process: u32) -> Result<(), u32> {
        self.holder.compare_exchange(0, process, Ordering::Acquire, Ordering::Relaxed).map(|_| ())
    }

    /// Runs `work`, and releases the lock, which this thread has taken.
    fn run<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: this thread has changed the word from 0, so it alone has the value until it changes it back.
        let result = work(unsafe { &mut *self.value.get() });
        self.holder.store(0, Ordering::Release);
        result
    }
}

/// This process's number. Where a filter refuses the call it is 1, so that no holder seems to be of another process.
fn process() -> u32 {
    sys::process_id().unwrap_or(1)
}

impl<T> fmt::Debug for SpinLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpinLock").field("holder", &self.holder).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(rseq_stub), not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn a_child_of_fork_does_not_wait_for_a_thread_of_the_parent() {
        let lock = SpinLock::new(7);
        let ended = lock.with(|_| sys::in_child(|| lock.try_with(|_| ()).is_some().into()));
        assert_eq!(ended, Ok(Some(0)), "the child had the lock");
        assert_eq!(lock.try_with(|value| *value), Some(7));
    }
}
