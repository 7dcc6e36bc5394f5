//! Waiting for a condition.

use super::raw_mutex::MutexGuard;
use crate::sys::{self, FutexKey};
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

/// Lets threads wait until another thread notifies them that data protected by a mutex has changed.
pub struct Condvar {
    /// How often a thread was notified.
    notified: AtomicU32,
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl Condvar {
    /// A condition that no thread waits for.
    pub const fn new() -> Self {
        Self { notified: AtomicU32::new(0) }
    }

    /// Unlocks the mutex, waits for a notification, and locks it again. It may return without one.
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        // The mutex is held. A thread that changes the protected data, and then notifies, does so after this load.
        let before = self.notified.load(Ordering::Relaxed);
        MutexGuard::unlocked(guard, || sys::futex_wait(&self.notified, before, FutexKey::Private));
    }

    /// As [`wait`](Self::wait), for as long as `condition` holds.
    pub fn wait_while<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, mut condition: impl FnMut(&mut T) -> bool) {
        while condition(guard) {
            self.wait(guard);
        }
    }

    /// As [`wait`](Self::wait), for at most `timeout`. Returns whether that has passed.
    pub fn wait_timeout<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> bool {
        let before = self.notified.load(Ordering::Relaxed);
        MutexGuard::unlocked(guard, || sys::futex_wait_timeout(&self.notified, before, timeout))
    }

    /// Wakes one thread that waits, if there is one.
    pub fn notify_one(&self) {
        self.notified.fetch_add(1, Ordering::Relaxed);
        sys::futex_wake_one(&raw const self.notified);
    }

    /// Wakes all threads that wait.
    pub fn notify_all(&self) {
        self.notified.fetch_add(1, Ordering::Relaxed);
        sys::futex_wake_all(&raw const self.notified);
    }
}
