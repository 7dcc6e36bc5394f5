//! The lock word of a CPU, and its value.

use crate::percpu::closing::Reopen;
use crate::sys::MembarrierError;
use core::cell::UnsafeCell;
use core::mem::{MaybeUninit, forget};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Free, without a value yet. Fresh per-CPU memory is in this state.
pub(super) const UNUSED: usize = 0;
/// Free. Sections name this state and the next one by their numbers.
pub(super) const FREE: usize = 1;
/// Taken.
pub(super) const TAKEN: usize = 2;
/// A thread on another CPU is taking the lock, which was [`UNUSED`]. Sections see that it is not free, but one that had
/// begun before may still take it.
const CLOSING_UNUSED: usize = 3;
/// The same of a lock that was [`FREE`].
const CLOSING_FREE: usize = 4;
/// The states of a lock that can be closed, and those meanwhile.
const CLOSING: [(usize, usize); 2] = [(FREE, CLOSING_FREE), (UNUSED, CLOSING_UNUSED)];

#[repr(C)]
pub(super) struct Slot<T> {
    pub(super) word: AtomicUsize,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: only the thread that has taken the lock reaches the value, and passes it on like a `&mut T`, for which `T:
// Send` is enough.
unsafe impl<T: Send> Sync for Slot<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Slot<T> {}

/// The lock of a value that is being made; dropping it after a panic makes the lock unused again.
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
    /// This thread has taken the lock, which had never been used.
    pub(super) unsafe fn make(&self, init: fn() -> T) {
        let making = Making(&self.word);
        let value = init();
        // SAFETY: by the caller's contract no other thread reaches the value, and there is no previous one to drop.
        unsafe { (*self.value.get()).write(value) };
        forget(making);
    }

    /// Replaces `from` by `to` with an atomic instruction.
    pub(super) fn replace(&self, from: usize, to: usize) -> bool {
        self.word.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes a lock and returns its previous state; None if it is not free. One thread at a time does this, and `fence`
    /// restarts the sections that may take the lock.
    pub(super) fn close(
        &self,
        fence: impl FnOnce() -> Result<(), MembarrierError>,
    ) -> Result<Option<usize>, MembarrierError> {
        let Some((state, closing)) = CLOSING.into_iter().find(|&(state, closing)| self.replace(state, closing)) else {
            return Ok(None);
        };
        if let Err(error) = fence() {
            // A section may have stored over the mark, or be about to. It then has the lock as if there had been no
            // mark.
            self.replace(closing, state);
            return Err(error);
        }
        Ok(self.replace(closing, TAKEN).then_some(state))
    }

    /// Whether there is a value, unless the lock is taken and the value is being made.
    pub(super) fn is_used(&self) -> bool {
        !matches!(self.word.load(Ordering::Acquire), UNUSED | CLOSING_UNUSED)
    }

    /// The address of the value, which exists if the slot is [used](Self::is_used).
    pub(super) fn value(&self) -> *mut T {
        self.value.get().cast()
    }

    /// Drops the value, if there is one.
    ///
    /// # Safety
    ///
    /// Nothing else uses the slot, and the value is not read again.
    pub(super) unsafe fn clear(&self) {
        if self.is_used() {
            // SAFETY: the state says that there is a value, and by the caller's contract this thread is its only user.
            unsafe { self.value().drop_in_place() };
        }
    }
}

impl<T> Reopen for Slot<T> {
    /// A lock that was being closed was free, so its value is whole. One that is taken stays so: its holder may have
    /// changed half of the value, or made none yet.
    fn reopen(&self) {
        for (state, closing) in CLOSING {
            self.replace(closing, state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(state: usize) -> Slot<()> {
        let slot = Slot::new();
        slot.word.store(state, Ordering::Relaxed);
        slot
    }

    /// The result of closing a lock in a given state if sections leave another state in it before the fence.
    fn closed(
        state: usize,
        stored: Option<usize>,
        made: Result<(), MembarrierError>,
    ) -> (Result<Option<usize>, ()>, usize) {
        let slot = slot(state);
        let closed = slot.close(|| {
            let closing = if state == FREE { CLOSING_FREE } else { CLOSING_UNUSED };
            assert_eq!(slot.word.load(Ordering::Relaxed), closing);
            stored.into_iter().for_each(|stored| slot.word.store(stored, Ordering::Relaxed));
            made
        });
        (closed.map_err(drop), slot.word.into_inner())
    }

    #[test]
    fn a_lock_is_taken_if_no_section_takes_it() {
        assert_eq!(closed(FREE, None, Ok(())), (Ok(Some(FREE)), TAKEN));
        assert_eq!(closed(UNUSED, None, Ok(())), (Ok(Some(UNUSED)), TAKEN));
        for state in [FREE, UNUSED] {
            assert_eq!(closed(state, Some(TAKEN), Ok(())), (Ok(None), TAKEN));
            assert_eq!(closed(state, Some(FREE), Ok(())), (Ok(None), FREE));
        }
        let taken = slot(TAKEN);
        assert_eq!((taken.close(|| unreachable!()), taken.word.into_inner()), (Ok(None), TAKEN));
    }

    #[test]
    fn a_refused_fence_changes_nothing() {
        let refused = Err(MembarrierError::NoCommand);
        assert_eq!(closed(FREE, None, refused), (Err(()), FREE));
        assert_eq!(closed(UNUSED, None, refused), (Err(()), UNUSED));
        assert_eq!(closed(FREE, Some(TAKEN), refused), (Err(()), TAKEN));
    }
}
