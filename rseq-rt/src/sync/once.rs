//! One-time initialization.

use crate::sys::{self, FutexKey};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

const NEW: u32 = 0;
const RUNNING: u32 = 1;
const WAITED_FOR: u32 = 2;
const DONE: u32 = 3;

/// Runs a function once, in the thread that comes first; other threads wait until it has returned.
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

    /// Whether the function has run. Its stores are then visible.
    pub fn is_completed(&self) -> bool {
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Runs `function`, unless one has run or is running, and returns when that has returned. The function must not
    /// call this method.
    ///
    /// In unit tests (feature `hosted`), a panic of the function unwinds: the next call, or one that waits, then runs
    /// its own.
    pub fn call_once(&self, function: impl FnOnce()) {
        let mut function = Some(function);
        while !self.is_completed() {
            match self.0.compare_exchange(NEW, RUNNING, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => {
                    let mut running = Running { state: &self.0, next: NEW };
                    if let Some(function) = function.take() {
                        function();
                    }
                    running.next = DONE;
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

/// The call of a function, which returns or unwinds.
struct Running<'a> {
    state: &'a AtomicU32,
    /// The state after it.
    next: u32,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.state.swap(self.next, Ordering::Release) == WAITED_FOR {
            sys::futex_wake_all(self.state);
        }
    }
}

/// A value that is written once, by the thread that comes first.
pub struct OnceLock<T> {
    once: Once,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: one thread writes the value before `once` is completed, and all others read it after that, for which `T:
// Sync` is enough. Another thread than the writer may drop it, for which `T: Send` is enough.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}
// SAFETY: the value moves with the lock.
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

    /// The value, if it has been written.
    pub fn get(&self) -> Option<&T> {
        // SAFETY: `once` is completed, so its function has written the value, which is not written again.
        self.once.is_completed().then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// The value, which `make` makes if there is none yet. `make` must not use the same lock.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.once.call_once(|| {
            let value = make();
            // SAFETY: one thread runs the function of `once`, one time, and the value is not read before that has
            // returned.
            unsafe { (*self.value.get()).write(value) };
        });
        // SAFETY: the function has run, so the value is written.
        unsafe { (*self.value.get()).assume_init_ref() }
    }

    /// Writes the value, unless there is one; then returns it to the caller.
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
            // SAFETY: the value was written, and `&mut self` shows that it is not borrowed.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}
