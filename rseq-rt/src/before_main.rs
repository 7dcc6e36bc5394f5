//! Values that start-up sets before a second thread can exist, and that nobody changes afterwards.

use core::cell::UnsafeCell;

/// A value that is written at most once, before `main`.
pub struct BeforeMain<T>(UnsafeCell<Option<T>>);

// SAFETY: `set` is only called while the process has one thread, and `get` hands out shared references only; T: Sync
// makes those usable from every thread.
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
        // SAFETY: nobody else reads or writes the cell, as the caller promises.
        unsafe { *self.0.get() = Some(value) };
    }

    /// The value, or `None` before it was set.
    pub fn get(&self) -> Option<&T> {
        // SAFETY: writes happen only while there is one thread and no reference, see `set`.
        unsafe { (*self.0.get()).as_ref() }
    }
}
