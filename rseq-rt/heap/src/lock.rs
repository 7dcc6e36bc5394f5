//! The lock of the central part, which is free in a child process even if its parent held it.

use crate::central::Central;
use crate::sys;
use core::cell::UnsafeCell;
use core::mem::size_of;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering, fence};

/// Zeroed in a child process.
#[repr(C)]
struct OfProcess {
    lock: Futex,
    /// Whether this process has taken the lock before.
    is_known: AtomicBool,
}

/// The central part of a heap, for one thread at a time. A child process may have to begin another one.
pub struct Locked {
    of_process: AtomicPtr<OfProcess>,
    /// Whether a thread may be changing the central part. Children inherit it.
    is_busy: AtomicBool,
    central: UnsafeCell<Central>,
}

// SAFETY: only `lock` gives access to the central part. Its pointers lead to mappings that every thread may use.
unsafe impl Sync for Locked {}
// SAFETY: as above.
unsafe impl Send for Locked {}

impl Locked {
    /// No memory yet.
    pub const fn new() -> Self {
        Self {
            of_process: AtomicPtr::new(ptr::null_mut()),
            is_busy: AtomicBool::new(false),
            central: UnsafeCell::new(Central::new(0)),
        }
    }

    /// Waits for the central part; `None` without memory for its lock.
    pub fn lock(&self) -> Option<Guard<'_>> {
        let of_process = self.of_process()?;
        of_process.lock.lock();
        if !of_process.is_known.load(Ordering::Relaxed) {
            of_process.is_known.store(true, Ordering::Relaxed);
            if self.is_busy.load(Ordering::Relaxed) {
                // SAFETY: the lock is held, and of the threads that used the old heap only this one is left. The old
                // value owns nothing that a drop would free.
                unsafe {
                    let central = self.central.get();
                    central.write(Central::new((*central).next_number()));
                }
            }
        }
        self.is_busy.store(true, Ordering::Relaxed);
        // A child sees this thread's stores up to some instruction: this one first, then the heap's words.
        fence(Ordering::Release);
        Some(Guard { locked: self, of_process })
    }

    /// The page of the lock, mapped at first use.
    fn of_process(&self) -> Option<&OfProcess> {
        let found = NonNull::new(self.of_process.load(Ordering::Acquire));
        // SAFETY: the page was zeroed, which is a valid value. It is unmapped with `self` only, and all of it is
        // atomic.
        found.or_else(|| self.map_page()).map(|page| unsafe { page.as_ref() })
    }

    #[cold]
    fn map_page(&self) -> Option<NonNull<OfProcess>> {
        let page = sys::map(size_of::<OfProcess>()).ok()?;
        // SAFETY: the page is fresh, and zeroes are valid for it. If the kernel refuses, children inherit the state of
        // the lock.
        let _ = unsafe { sys::wipe_on_fork(page, size_of::<OfProcess>()) };
        let ours = page.cast::<OfProcess>();
        let set = self.of_process.compare_exchange(ptr::null_mut(), ours.as_ptr(), Ordering::AcqRel, Ordering::Acquire);
        match set {
            Ok(_) => Some(ours),
            Err(theirs) => {
                // SAFETY: the page has not been shared.
                unsafe { sys::unmap(page, size_of::<OfProcess>()) };
                NonNull::new(theirs)
            }
        }
    }
}

/// The central part while only this thread has access.
pub struct Guard<'a> {
    locked: &'a Locked,
    of_process: &'a OfProcess,
}

impl Deref for Guard<'_> {
    type Target = Central;

    fn deref(&self) -> &Central {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.locked.central.get() }
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut Central {
        // SAFETY: the guard holds the lock, and is borrowed exclusively.
        unsafe { &mut *self.locked.central.get() }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.locked.is_busy.store(false, Ordering::Release);
        self.of_process.lock.unlock();
    }
}

/// A mutex of three states, so that only a contended lock costs a system call. Its bytes are 0 while it is free.
#[repr(transparent)]
struct Futex(AtomicU32);

const FREE: u32 = 0;
const HELD: u32 = 1;
const WANTED: u32 = 2;

impl Futex {
    fn lock(&self) {
        if self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.wait();
        }
    }

    #[cold]
    fn wait(&self) {
        while self.0.swap(WANTED, Ordering::Acquire) != FREE {
            sys::futex_wait(&self.0, WANTED);
        }
    }

    /// Called by the holder.
    fn unlock(&self) {
        if self.0.swap(FREE, Ordering::Release) == WANTED {
            sys::futex_wake_one(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const CLASS: usize = 3;

    #[test]
    fn one_thread_at_a_time_has_the_central_part() {
        static LOCKED: Locked = Locked::new();
        let take_and_put = || {
            for _ in 0..if cfg!(miri) { 50 } else { 100_000 } {
                let block = LOCKED.lock().unwrap().take(CLASS).unwrap();
                // SAFETY: the block is of this class, and this thread does not use it.
                unsafe { LOCKED.lock().unwrap().put(block, CLASS) };
            }
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(take_and_put))));
        assert_eq!(LOCKED.lock().unwrap().out(), 0);
    }

    /// The exit code of `body`, run in a child process.
    #[cfg(not(miri))]
    fn in_child(body: impl FnOnce() -> u8) -> usize {
        use linux_raw_sys::general::{__NR_clone, __NR_exit_group, __NR_wait4, __WALL};
        use rseq_core::sys::syscall;
        let mut status = 0_u32;
        // SAFETY: without flags, in whatever order an architecture takes the arguments, the call copies the process.
        // The child has this thread alone, runs `body` and ends; wait4 writes one int.
        unsafe {
            match syscall(__NR_clone, [0; 6]).expect("a child") {
                0 => {
                    let _ = syscall(__NR_exit_group, [body().into(), 0, 0, 0, 0, 0]);
                    core::hint::unreachable_unchecked()
                }
                pid => {
                    let args = [pid, (&raw mut status).addr(), __WALL as usize, 0, 0, 0];
                    while syscall(__NR_wait4, args) == Err(rseq_core::sys::Errno::EINTR) {}
                }
            }
        }
        status as usize >> 8
    }

    #[cfg(not(miri))]
    #[test]
    fn a_child_that_is_forked_during_a_change_begins_anew_and_another_does_not() {
        static LOCKED: Locked = Locked::new();
        let mut guard = LOCKED.lock().unwrap();
        let block = guard.take(CLASS).unwrap();
        let child = || {
            let mut central = LOCKED.lock().unwrap();
            let was_mapped = central.mapped() > 0;
            // SAFETY: the block is of this class, and its owner is not in this process.
            unsafe { central.put(block, CLASS) };
            u8::from(was_mapped) + 2 * u8::from(central.take(CLASS) == Some(block))
        };
        // Another thread would hold the lock; a child has none, and finds it free.
        let during = in_child(child);
        drop(guard);
        let after = in_child(child);
        assert_eq!((during, after), (0, 3));
    }
}
