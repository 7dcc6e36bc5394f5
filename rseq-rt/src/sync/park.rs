//! Suspending a thread until it is needed.

use crate::sys::{self, FutexKey};
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

const EMPTY: u32 = 0;
const TOKEN: u32 = 1;
const PARKED: u32 = 2;

/// A token for one thread: [`park`](Self::park) waits for the token and takes it, [`unpark`](Self::unpark) provides it.
pub struct Parker(AtomicU32);

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl Parker {
    /// Without a token.
    pub const fn new() -> Self {
        Self(AtomicU32::new(EMPTY))
    }

    /// Waits for the token and takes it. One thread at a time may call this. What was stored before
    /// [`unpark`](Self::unpark) is visible afterwards.
    pub fn park(&self) {
        while !self.take() {
            sys::futex_wait(&self.0, PARKED, FutexKey::Private);
        }
    }

    /// As [`park`](Self::park), for at most `timeout`. Returns whether it took the token; it may return early without
    /// it.
    pub fn park_timeout(&self, timeout: Duration) -> bool {
        if self.take() {
            return true;
        }
        sys::futex_wait_timeout(&self.0, PARKED, timeout);
        self.0.swap(EMPTY, Ordering::Acquire) == TOKEN
    }

    /// Takes the token, or marks that a thread waits for it.
    fn take(&self) -> bool {
        let wait = |state| Some(if state == TOKEN { EMPTY } else { PARKED });
        let before = self.0.fetch_update(Ordering::Acquire, Ordering::Acquire, wait);
        before == Ok(TOKEN)
    }

    /// Provides the token, and wakes the thread that waits for it.
    pub fn unpark(&self) {
        if self.0.swap(TOKEN, Ordering::Release) == PARKED {
            sys::futex_wake_one(&raw const self.0);
        }
    }
}
