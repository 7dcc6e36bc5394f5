//! Values that start-up sets before there is a second thread, and that do not change afterwards.

use core::cell::UnsafeCell;

/// A value that is written at most once, before `main`.
pub struct BeforeMain<T>(UnsafeCell<Option<T>>);

// SAFETY: `set` is only called while the process has one thread, and `get` returns shared references only, which `T:
// Sync` makes usable in every thread.
unsafe impl<T: Sync> Sync for BeforeMain<T> {}

impl<T> BeforeMain<T> {
    /// A cell that is still empty.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// Writes the value.
    ///
    /// # Safety
    ///
    /// The process has one thread, and no reference from [`get`](Self::get) is alive.
    pub unsafe fn set(&self, value: T) {
        // SAFETY: by the caller's contract there is one thread and no reference to the value, so the write is
        // exclusive.
        unsafe { *self.0.get() = Some(value) };
    }

    /// The value, or `None` before it was set.
    pub fn get(&self) -> Option<&T> {
        // SAFETY: by the contract of `set`, writes happen only while there is one thread and no reference.
        unsafe { (*self.0.get()).as_ref() }
    }
}
