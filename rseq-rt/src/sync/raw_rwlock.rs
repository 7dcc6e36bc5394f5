//! [`RwLock`], and its raw lock.

use crate::sys::{self, FutexKey};
use core::sync::atomic::{AtomicU32, Ordering};
use lock_api::GuardSend;

/// Threads wait for the lock to be free.
const WAITED_FOR: u32 = 1 << 31;
/// The rest of the word while a writer holds the lock; otherwise the rest is the number of readers.
const WRITER: u32 = WAITED_FOR - 1;

/// A value that many threads read, or one writes. A thread must not lock it for reading twice: a waiting writer takes
/// precedence over the second lock.
pub type RwLock<T> = lock_api::RwLock<RawRwLock, T>;

/// The value of a [`RwLock`] while it is locked for reading.
pub type RwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, RawRwLock, T>;

/// The value of a [`RwLock`] while it is locked for writing.
pub type RwLockWriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, RawRwLock, T>;

/// A readers-writer lock in one word. While a thread waits, new readers wait too, so that writers are not starved.
pub struct RawRwLock(AtomicU32);

impl RawRwLock {
    /// Waits until the word is no longer `state`, after marking it as waited for.
    fn wait(&self, state: u32) {
        let marked = state | WAITED_FOR;
        let exchanged = self.0.compare_exchange(state, marked, Ordering::Relaxed, Ordering::Relaxed);
        if exchanged.is_ok() {
            sys::futex_wait(&self.0, marked, FutexKey::Private);
        }
    }

    fn state(&self) -> (u32, u32, bool) {
        let state = self.0.load(Ordering::Relaxed);
        (state, state & !WAITED_FOR, state & WAITED_FOR != 0)
    }

    fn exchange(&self, old: u32, new: u32) -> bool {
        self.0.compare_exchange_weak(old, new, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

// SAFETY: a writer takes the lock only if there are no holders, a reader only if they are fewer than WRITER - 1, by a
// compare-and-swap with acquire ordering; unlocking has release ordering.
unsafe impl lock_api::RawRwLock for RawRwLock {
    #[allow(clippy::declare_interior_mutable_const, reason = "lock_api's way to say `new`")]
    const INIT: Self = Self(AtomicU32::new(0));

    type GuardMarker = GuardSend;

    fn lock_shared(&self) {
        loop {
            let (state, holders, waited_for) = self.state();
            if holders == 0 || (holders < WRITER - 1 && !waited_for) {
                if self.exchange(state, state + 1) {
                    return;
                }
            } else {
                self.wait(state);
            }
        }
    }

    fn try_lock_shared(&self) -> bool {
        loop {
            let (state, holders, waited_for) = self.state();
            if holders != 0 && (holders >= WRITER - 1 || waited_for) {
                return false;
            }
            if self.exchange(state, state + 1) {
                return true;
            }
        }
    }

    unsafe fn unlock_shared(&self) {
        let left = self.0.fetch_sub(1, Ordering::Release) - 1;
        // If another thread has taken the lock since, it finds the mark when it unlocks.
        let last = left == WAITED_FOR;
        if last && self.0.compare_exchange(WAITED_FOR, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            sys::futex_wake_all(&raw const self.0);
        }
    }

    fn lock_exclusive(&self) {
        loop {
            let (state, holders, _) = self.state();
            if holders != 0 {
                self.wait(state);
            } else if self.exchange(state, state | WRITER) {
                return;
            }
        }
    }

    fn try_lock_exclusive(&self) -> bool {
        loop {
            let (state, holders, _) = self.state();
            if holders != 0 {
                return false;
            }
            if self.exchange(state, state | WRITER) {
                return true;
            }
        }
    }

    unsafe fn unlock_exclusive(&self) {
        if self.0.swap(0, Ordering::Release) & WAITED_FOR != 0 {
            sys::futex_wake_all(&raw const self.0);
        }
    }
}
