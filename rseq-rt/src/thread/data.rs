//! The runtime's data of a thread.

use super::locals::Locals;
use super::packet::Control;
use crate::registration::OfThread;
use core::cell::Cell;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The data of a thread. Only the thread itself uses it, after its creator has initialised it.
pub struct ThreadData {
    id: usize,
    /// The guard pages below the stack; empty for the main thread, whose stack grows.
    guard: Range<usize>,
    /// The thread's packet; null for the main thread.
    pub(super) control: *const Control,
    /// The rseq registration, if it must be released before the thread ends.
    pub(super) registration: Cell<Option<OfThread>>,
    pub(super) locals: Locals,
}

/// The identifier of the next thread.
static NEXT: AtomicUsize = AtomicUsize::new(2);

/// Returns an identifier that no thread has had; `None` after `usize::MAX` threads.
pub fn new_id() -> Option<usize> {
    NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| id.checked_add(1)).ok()
}

impl ThreadData {
    pub(super) const fn new(id: usize, guard: Range<usize>, control: *const Control) -> Self {
        Self { id, guard, control, registration: Cell::new(None), locals: Locals::new() }
    }

    pub fn id(&self) -> usize {
        self.id
    }

    pub fn is_main(&self) -> bool {
        self.control.is_null()
    }

    pub fn guard(&self) -> Range<usize> {
        self.guard.clone()
    }
}
