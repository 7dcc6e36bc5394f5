//! A lock for what happens seldom.

use crate::sys;
use core::cell::UnsafeCell;
use core::fmt;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, Ordering};

/// A lock that spins. Signals are blocked while it is held, so handlers may take it too.
pub(super) struct SpinLock<T> {
    is_taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time, which `with` sees to.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    pub(super) const fn new(value: T) -> Self {
        Self { is_taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Runs `work` with the value, which no other thread has meanwhile.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        sys::with_signals_blocked(|| {
            while self.is_taken.swap(true, Ordering::Acquire) {
                while self.is_taken.load(Ordering::Relaxed) {
                    spin_loop();
                    sys::yield_now();
                }
            }
            // SAFETY: this thread has changed the word from false to true, so it alone has the value until it changes it
            // back.
            let result = work(unsafe { &mut *self.value.get() });
            self.is_taken.store(false, Ordering::Release);
            result
        })
    }
}

impl<T> fmt::Debug for SpinLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpinLock").field("is_taken", &self.is_taken).finish_non_exhaustive()
    }
}
