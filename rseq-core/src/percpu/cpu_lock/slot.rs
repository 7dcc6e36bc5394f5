//! The lock word of a CPU, and its value.

use core::cell::UnsafeCell;
use core::mem::{MaybeUninit, forget};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Free, and there is no value yet. Fresh per-CPU memory is in this state.
pub(super) const UNUSED: usize = 0;
/// Free. Sections name this state and the next one by their numbers.
pub(super) const FREE: usize = 1;
/// Taken.
pub(super) const TAKEN: usize = 2;
/// A thread on another CPU is taking the lock: sections leave it alone, but one that had begun may still take it.
pub(super) const CLOSING: usize = 3;

#[repr(C)]
pub(super) struct Slot<T> {
    pub(super) word: AtomicUsize,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is reached only by the thread that has taken the lock, which passes it on like a `&mut T`.
unsafe impl<T: Send> Sync for Slot<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Slot<T> {}

/// The lock of a value that is being made: it is unused again if that panics.
struct Making<'a>(&'a AtomicUsize);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.0.store(UNUSED, Ordering::Release);
    }
}

impl<T> Slot<T> {
    pub(super) const fn new() -> Self {
        Self { word: AtomicUsize::new(UNUSED), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Makes the value.
    ///
    /// # Safety
    ///
    /// This thread has taken the lock, which was unused.
    pub(super) unsafe fn make(&self, init: fn() -> T) {
        let making = Making(&self.word);
        let value = init();
        // SAFETY: by the caller's contract no other thread reaches the value, and there is none to drop.
        unsafe { (*self.value.get()).write(value) };
        forget(making);
    }

    /// Replaces `from` by `to`, for threads that do it by atomic instructions.
    pub(super) fn replace(&self, from: usize, to: usize) -> bool {
        self.word.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Where the value is. There is one in every state but [`UNUSED`].
    pub(super) fn value(&self) -> *mut T {
        self.value.get().cast()
    }

    /// Drops the value, if there is one.
    ///
    /// # Safety
    ///
    /// Nobody else uses the slot, and nobody will read the value again.
    pub(super) unsafe fn clear(&self) {
        if self.word.load(Ordering::Acquire) != UNUSED {
            // SAFETY: by the state there is a value, and by the caller's contract it is used by this thread only.
            unsafe { self.value().drop_in_place() };
        }
    }
}
