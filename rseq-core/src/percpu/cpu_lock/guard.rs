//! The holder of a lock.

use super::lock_word::{FREE, Slot};
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering;

/// A lock that is held, and the value that it protects. Dropping it frees the lock.
///
/// The holder may be migrated to another CPU, or pass the guard to another thread: it keeps the lock that it took. Do
/// not hold one across an `.await`: see [`Lock`](super::Lock).
#[must_use = "the lock is free again once the guard is dropped"]
pub struct LockGuard<'a, T> {
    slot: &'a Slot<T>,
    index: u32,
    value: PhantomData<&'a mut T>,
}

impl<'a, T> LockGuard<'a, T> {
    /// # Safety
    ///
    /// The slot's lock has been taken for this guard, and the slot has a value.
    #[inline]
    pub(super) unsafe fn new(slot: &'a Slot<T>, index: Option<u32>) -> Self {
        Self { slot, index: index.unwrap_or(u32::MAX), value: PhantomData }
    }

    /// The CPU, or the concurrency ID, whose lock this is. None is the lock of threads without sections.
    #[inline]
    pub fn index(&self) -> Option<u32> {
        (self.index != u32::MAX).then_some(self.index)
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the slot has a value, which is reached through the one guard of the lock only; `&self` excludes
        // mutable references.
        unsafe { &*self.slot.value() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `&mut self` excludes all other references.
        unsafe { &mut *self.slot.value() }
    }
}

impl<T> Drop for LockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Sections write the word only when the lock is free, so this is the only writer.
        self.slot.word.store(FREE, Ordering::Release);
    }
}

impl<T: fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard").field("index", &self.index()).field("value", &**self).finish()
    }
}
