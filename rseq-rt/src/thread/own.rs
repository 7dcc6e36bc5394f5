//! The data of the calling thread, found by its thread pointer.

use super::data::ThreadData;
use crate::backend::{CANARY, TLS};
use crate::canary::Canary;
use crate::tls::own_word;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use rseq_core::arch;

const _: () = {
    // Any thread pointer will do.
    let pointer = 1 << 20;
    if let Canary::InThread(offset) = CANARY {
        let distance = own_word(pointer, TLS).abs_diff(pointer.wrapping_add_signed(offset));
        assert!(distance >= size_of::<usize>(), "the word overlaps the stack canary");
    }
};

/// The main thread's.
struct Main(ThreadData);

// SAFETY: `ThreadData::current` gives it to the main thread only.
unsafe impl Sync for Main {}

static MAIN: Main = Main(ThreadData::new(1, 0..0, ptr::null()));

/// The main thread's thread pointer: the runtime may not have placed what is around it.
static MAIN_POINTER: AtomicUsize = AtomicUsize::new(0);

/// Remembers that this is the main thread.
pub fn remember_main() {
    MAIN_POINTER.store(arch::thread_pointer(), Ordering::Relaxed);
}

impl ThreadData {
    /// Lets the thread with this thread pointer find its data.
    ///
    /// # Safety
    ///
    /// The runtime placed the TLS block; the thread does not run yet, and the data lives as long as it runs.
    pub unsafe fn belongs_to(data: *const Self, thread_pointer: usize) {
        // SAFETY: the caller guarantees a TLS block that the runtime placed, whose control block has this word, and a
        // thread that does not run yet, so that nothing uses the word.
        unsafe { (own_word(thread_pointer, TLS) as *mut *const Self).write(data) };
    }

    /// The calling thread's.
    pub fn current<'a>() -> &'a Self {
        let pointer = arch::thread_pointer();
        if pointer == MAIN_POINTER.load(Ordering::Relaxed) {
            return &MAIN.0;
        }
        // SAFETY: every other thread was made by `life::begin`, which has called `belongs_to`. The data is in the
        // thread's packet, which lives as long as the thread runs; only the thread itself gets this reference, and
        // ThreadData is not Sync.
        unsafe { &**(own_word(pointer, TLS) as *const *const Self) }
    }
}
