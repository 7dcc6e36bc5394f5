//! What is done once.

use crate::sys::{self, FutexKey};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

const NEW: u32 = 0;
const RUNNING: u32 = 1;
const WAITED_FOR: u32 = 2;
const DONE: u32 = 3;

/// Runs a function once, whichever thread comes first; the others wait for its end.
pub struct Once(AtomicU32);

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

impl Once {
    /// Nothing was run yet.
    pub const fn new() -> Self {
        Self(AtomicU32::new(NEW))
    }

    /// Whether the function has run. What it stored is visible then.
    pub fn is_completed(&self) -> bool {
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Runs `function` unless one was run, and returns when that has ended. It must not come here again itself.
    pub fn call_once(&self, function: impl FnOnce()) {
        let mut function = Some(function);
        while !self.is_completed() {
            match self.0.compare_exchange(NEW, RUNNING, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => {
                    if let Some(function) = function.take() {
                        function();
                    }
                    if self.0.swap(DONE, Ordering::Release) == WAITED_FOR {
                        sys::futex_wake_all(&raw const self.0);
                    }
                }
                Err(RUNNING) => {
                    let _ = self.0.compare_exchange(RUNNING, WAITED_FOR, Ordering::Relaxed, Ordering::Relaxed);
                }
                Err(WAITED_FOR) => sys::futex_wait(&self.0, WAITED_FOR, FutexKey::Private),
                Err(_) => {}
            }
        }
    }
}

/// A value that is written once, by whichever thread comes first.
pub struct OnceLock<T> {
    once: Once,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: one thread writes the value, before `once` is completed, and all read it after that. It may be dropped by
// another thread than the one that made it.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}
// SAFETY: the value goes with the lock.
unsafe impl<T: Send> Send for OnceLock<T> {}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> OnceLock<T> {
    /// No value yet.
    pub const fn new() -> Self {
        Self { once: Once::new(), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// The value, if it was written.
    pub fn get(&self) -> Option<&T> {
        // SAFETY: the function of `once` wrote the value, which nobody writes again.
        self.once.is_completed().then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// The value, which `make` makes if there is none yet. It must not ask for the same value itself.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.once.call_once(|| {
            let value = make();
            // SAFETY: one thread runs the function of `once`, one time, and nobody reads the value before that has
            // ended.
            unsafe { (*self.value.get()).write(value) };
        });
        // SAFETY: the function has run.
        unsafe { (*self.value.get()).assume_init_ref() }
    }

    /// Writes the value, unless there is one; then it comes back.
    ///
    /// # Errors
    ///
    /// The value that was not needed.
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.once.call_once(|| {
            if let Some(value) = value.take() {
                // SAFETY: as in `get_or_init`.
                unsafe { (*self.value.get()).write(value) };
            }
        });
        value.map_or(Ok(()), Err)
    }
}

impl<T> Drop for OnceLock<T> {
    fn drop(&mut self) {
        if self.once.is_completed() {
            // SAFETY: the value was written, and nobody uses it any more.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}
