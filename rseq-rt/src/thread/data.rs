//! The data of a thread: its own, what it shares with its handle, and the scope that waits for it. They refer to each
//! other, so they are declared in one place; other files have what is done with them.

use super::locals::Locals;
use super::memory::Memory;
use super::name::Name;
use crate::registration::OfThread;
use crate::sync::Mutex;
use core::cell::Cell;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU32};

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

/// The part of a packet that does not depend on the closure.
pub(super) struct Control {
    /// The thread ID in the kernel, which clears it and wakes its futex when the thread has ended.
    pub(super) tid: AtomicU32,
    pub(super) state: AtomicU32,
    pub(super) memory: Memory,
    pub(super) data: ThreadData,
    pub(super) name: Name,
    /// Whether it is a child process.
    pub(super) is_process: bool,
    /// The next packet in the list of threads whose memory is kept.
    pub(super) next_kept: *mut Control,
    /// The scope that waits for this thread, or null.
    pub(super) scope: *const ScopeState,
    /// The previous and the next packet in the scope's list.
    pub(super) in_scope: Cell<[*mut Control; 2]>,
    /// Calls the closure and stores its result.
    pub(super) run: unsafe fn(NonNull<Control>),
    /// Drops the result.
    pub(super) drop_result: unsafe fn(NonNull<Control>),
}

/// A doubly linked list of packets.
pub(super) struct List(pub(super) *mut Control);

// SAFETY: the list, and the links of the packets on it, are only used under the lock around it.
unsafe impl Send for List {}

/// The threads of a scope.
pub struct ScopeState {
    /// The number of threads that have not finished, and so may use what they borrow.
    pub(super) running: AtomicU32,
    /// Whether a thread has panicked whose result was not asked for: only where panics unwind.
    pub(super) has_panicked: AtomicBool,
    /// The threads whose memory has not been freed, by a handle or by the thread itself.
    pub(super) threads: Mutex<List>,
}
