//! What the runtime keeps for each thread, found by its thread pointer.

use super::locals::Locals;
use super::packet::Control;
use crate::backend::TLS;
use crate::registration::OfThread;
use crate::tls::own_word;
use core::cell::Cell;
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use rseq_core::arch;

/// One thread's data. Only the thread itself uses it, but for its creator, before it runs.
pub struct ThreadData {
    id: usize,
    /// The addresses below the stack that cannot be accessed; none for the main thread, whose stack grows.
    guard: Range<usize>,
    /// The packet; null for the main thread.
    pub(super) control: *const Control,
    /// The rseq registration, while there is one that ends with the thread.
    pub(super) registration: Cell<Option<OfThread>>,
    pub(super) locals: Locals,
}

/// The main thread's.
struct Main(ThreadData);

// SAFETY: `ThreadData::current` gives it to the main thread only.
unsafe impl Sync for Main {}

static MAIN: Main = Main(ThreadData::new(1, 0..0, ptr::null()));

/// The main thread's thread pointer: the runtime may not have placed what is around it.
static MAIN_POINTER: AtomicUsize = AtomicUsize::new(0);

/// The number of the next thread.
static NEXT: AtomicUsize = AtomicUsize::new(2);

/// Remembers that this is the main thread.
pub fn remember_main() {
    MAIN_POINTER.store(arch::thread_pointer(), Ordering::Relaxed);
}

/// A number that no thread has had; `None` after `usize::MAX` threads.
pub fn new_id() -> Option<usize> {
    NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| id.checked_add(1)).ok()
}

impl ThreadData {
    pub(super) const fn new(id: usize, guard: Range<usize>, control: *const Control) -> Self {
        Self { id, guard, control, registration: Cell::new(None), locals: Locals::new() }
    }

    /// Lets the thread with this thread pointer find its data.
    ///
    /// # Safety
    ///
    /// The runtime placed the TLS block; the thread does not run yet, and the data lives as long as it runs.
    pub unsafe fn belongs_to(data: *const Self, thread_pointer: usize) {
        // SAFETY: the control block around the thread pointer has this word, and nobody uses it yet.
        unsafe { (own_word(thread_pointer, TLS) as *mut *const Self).write(data) };
    }

    /// The calling thread's.
    pub fn current<'a>() -> &'a Self {
        let pointer = arch::thread_pointer();
        if pointer == MAIN_POINTER.load(Ordering::Relaxed) {
            return &MAIN.0;
        }
        // SAFETY: every other thread was made by `spawn`, which has called `belongs_to`. The data is in the thread's
        // packet, which lives as long as the thread runs; only the thread itself gets this reference, and ThreadData is
        // not Sync.
        unsafe { &**(own_word(pointer, TLS) as *const *const Self) }
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
