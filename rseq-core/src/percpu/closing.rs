//! Closing the slots of other indices.

use super::copies::Copies;
use super::lock::SpinLock;
use crate::{Index, sys};
use core::sync::atomic::{AtomicUsize, Ordering, fence};

/// A slot that a thread of another index can close to the sections of its own.
pub(super) trait Reopen {
    /// Makes the slot what it was before it was closed. Does nothing to one that is not closed.
    ///
    /// The thread that closed it no longer exists.
    fn reopen(&self);
}

/// One thread at a time closes slots.
///
/// A slot stays closed during a fence, which is a system call. So a child of `fork` often finds a slot closed by a
/// thread that the child does not have, and that alone would open it. The child then opens it itself, as it was before:
/// no section has changed it since.
#[derive(Debug)]
pub(super) struct Closing {
    lock: SpinLock<()>,
    /// The generation of the process that a thread closes slots in, or 0.
    closer: AtomicUsize,
}

impl Closing {
    pub(super) const fn new() -> Self {
        Self { lock: SpinLock::new(()), closer: AtomicUsize::new(0) }
    }

    /// Runs `work`, which alone closes and opens slots meanwhile. All are open at first.
    pub(super) fn with<S: Reopen, K: Index, R>(&self, slots: &Copies<S, K>, work: impl FnOnce() -> R) -> R {
        self.lock.with(|()| {
            if self.closer.load(Ordering::Relaxed) != 0 {
                // This thread has the lock, so the closer is gone: a thread of the parent, or one that panicked.
                slots.iter().for_each(S::reopen);
            }
            self.closer.store(sys::generation(), Ordering::Relaxed);
            // `fork` copies memory while other threads run, so a child may have only some of a thread's last stores.
            // Without the fence, the compiler or a weakly ordered machine could make the mark of a closed slot visible
            // before this store: the child would find the mark and no closer, and never open the slot. For the same
            // reason the last store, after the slot was opened, is a release.
            fence(Ordering::Release);
            let result = work();
            self.closer.store(0, Ordering::Release);
            result
        })
    }

    /// Opens what a thread of the parent had closed when this process was forked. Returns whether there was such a
    /// thread, so that a section is worth another try. Otherwise it costs a load.
    pub(super) fn reopen_after_fork<S: Reopen, K: Index>(&self, slots: &Copies<S, K>) -> bool {
        let closer = self.closer.load(Ordering::Relaxed);
        let is_gone = closer != 0 && closer != sys::generation();
        if is_gone {
            self.with(slots, || ());
        }
        is_gone
    }
}
