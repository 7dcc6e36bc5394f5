//! The identifiers of threads.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Identifies a thread of this process. No two threads have the same identifier, even if they do not run at the same
/// time. A child process continues with the numbers of its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadId(pub(super) usize);

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identifier of the next thread.
static NEXT: AtomicUsize = AtomicUsize::new(2);

/// Returns an identifier that no thread has had; `None` after `usize::MAX` threads.
pub fn new_id() -> Option<usize> {
    NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| id.checked_add(1)).ok()
}
