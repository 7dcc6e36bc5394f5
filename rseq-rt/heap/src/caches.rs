//! The blocks that each CPU caches.

use crate::class::{CACHED, CAPACITIES, capacity};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};
use rseq_core::percpu::{Batch, Stacks};
use rseq_core::{Ambient, Status, ensure_registered, status};

/// Blocks that move between a CPU and the central part at a time: half the capacity of the CPU's stack.
pub type Moved = Batch<NonNull<u8>, 64>;
const _: () = assert!(capacity(0) / 2 <= 64);

/// A batch for blocks of a class.
pub fn batch(class: usize) -> Moved {
    Batch::with_room(capacity(class) / 2)
}

/// Stacks of free blocks for each CPU.
pub struct Caches {
    pub stacks: Stacks<NonNull<u8>, CACHED, CAPACITIES>,
    /// One of the constants below.
    state: AtomicU8,
}

/// Whether threads are registered has not been determined.
const UNKNOWN: u8 = 0;
/// No registered thread has used the heap yet.
const WAITING: u8 = 1;
const ON: u8 = 2;
/// This kernel does not restart sections.
const OFF: u8 = 3;

const fn capacities() -> [usize; CACHED] {
    let (mut all, mut class) = ([0; CACHED], 0);
    while class < CACHED {
        all[class] = capacity(class);
        class += 1;
    }
    all
}

impl Caches {
    pub const fn new() -> Self {
        Self { stacks: Stacks::new(capacities()), state: AtomicU8::new(UNKNOWN) }
    }

    /// Whether this thread can use the stack of its CPU: it is registered, and the kernel restarts sections.
    pub fn are_on(&self) -> bool {
        // The calls below may allocate, and then find the caches off.
        if self.state.load(Ordering::Relaxed) == UNKNOWN {
            let _ = self.state.compare_exchange(UNKNOWN, WAITING, Ordering::Relaxed, Ordering::Relaxed);
            let _ = ensure_registered();
        }
        if !Ambient::token().is_registered() {
            return false;
        }
        if self.state.load(Ordering::Relaxed) == WAITING {
            let new = if matches!(status(), Status::On(_)) { ON } else { OFF };
            self.state.store(new, Ordering::Relaxed);
        }
        self.state.load(Ordering::Relaxed) == ON
    }
}
