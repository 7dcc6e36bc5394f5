//! The global allocator of the feature `alloc`: talc, over mappings of its own, behind a futex lock.

use crate::sys;
use core::alloc::Layout;
use core::sync::atomic::{AtomicU32, Ordering};
use lock_api::GuardSend;
use talc::{OomHandler, Span, Talc, Talck};

/// Bytes that the heap grows by, at least.
const GROWTH: usize = 1 << 20;

/// Room for talc's own words in each mapping, in bytes.
const OVERHEAD: usize = 4096;

#[global_allocator]
static ALLOCATOR: Talck<FutexLock, Grow> = Talc::new(Grow).lock();

/// Maps more memory when talc has none left.
struct Grow;

impl OomHandler for Grow {
    fn handle_oom(talc: &mut Talc<Self>, layout: Layout) -> Result<(), ()> {
        let wanted =
            layout.size().checked_add(layout.align()).and_then(|bytes| bytes.checked_add(OVERHEAD)).ok_or(())?;
        let len = wanted.checked_next_multiple_of(GROWTH).ok_or(())?;
        let start = sys::map(len, 0).map_err(|_| ())?;
        // SAFETY: the mapping is fresh, and talc's from here on.
        unsafe { talc.claim(Span::from_base_size(start.as_ptr(), len)) }.map(drop)
    }
}

const FREE: u32 = 0;
const HELD: u32 = 1;
const WANTED: u32 = 2;

/// A mutex of three states: only a lock that somebody waits for costs a system call.
struct FutexLock(AtomicU32);

// SAFETY: only one thread at a time gets from FREE to another state, by a compare-and-swap or a swap with acquire
// ordering, and the holder alone stores FREE, with release ordering.
unsafe impl lock_api::RawMutex for FutexLock {
    #[allow(clippy::declare_interior_mutable_const, reason = "lock_api's way to say `new`")]
    const INIT: Self = Self(AtomicU32::new(FREE));

    type GuardMarker = GuardSend;

    fn lock(&self) {
        if self.try_lock() {
            return;
        }
        while self.0.swap(WANTED, Ordering::Acquire) != FREE {
            sys::futex_wait(&self.0, WANTED, sys::FutexKey::Private);
        }
    }

    fn try_lock(&self) -> bool {
        self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    unsafe fn unlock(&self) {
        if self.0.swap(FREE, Ordering::Release) == WANTED {
            sys::futex_wake_one(&raw const self.0);
        }
    }
}
