//! [`Mutex`], and its raw lock.

use crate::sys;
use core::sync::atomic::{AtomicU32, Ordering};
use lock_api::GuardSend;

const FREE: u32 = 0;
const HELD: u32 = 1;
const WANTED: u32 = 2;

/// A value that one thread at a time can access.
pub type Mutex<T> = lock_api::Mutex<RawMutex, T>;

/// The value of a [`Mutex`] while it is locked.
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawMutex, T>;

/// A mutex of three states, so that only a contended lock costs a system call. Its bytes are 0 while it is free.
#[repr(transparent)]
pub struct RawMutex(AtomicU32);

// SAFETY: `lock` must be exclusive until `unlock`: only one thread at a time changes FREE to another state, by a
// compare-and-swap or a swap with acquire ordering, and only the holder stores FREE, with release ordering.
unsafe impl lock_api::RawMutex for RawMutex {
    #[allow(clippy::declare_interior_mutable_const, reason = "lock_api's way to say `new`")]
    const INIT: Self = Self(AtomicU32::new(FREE));

    type GuardMarker = GuardSend;

    fn lock(&self) {
        if self.try_lock() {
            return;
        }
        while self.0.swap(WANTED, Ordering::Acquire) != FREE {
            sys::futex_wait(&self.0, WANTED, sys::FutexKey::Private);
        }
    }

    fn try_lock(&self) -> bool {
        self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    unsafe fn unlock(&self) {
        if self.0.swap(FREE, Ordering::Release) == WANTED {
            sys::futex_wake_one(&raw const self.0);
        }
    }
}
