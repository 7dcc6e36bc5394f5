//! The threads of a scope: their list, and waiting for them.

use super::data::{Control, List, ScopeState};
use crate::sync::Mutex;
use crate::sys;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

impl ScopeState {
    pub(super) const fn new() -> Self {
        Self {
            running: AtomicU32::new(0),
            has_panicked: AtomicBool::new(false),
            threads: Mutex::new(List(ptr::null_mut())),
        }
    }

    /// Adds a thread that has a handle.
    ///
    /// # Safety
    ///
    /// The packet is mapped and in no list, and [`remove`](Self::remove) is called before its memory is freed.
    pub unsafe fn insert(&self, control: NonNull<Control>) {
        let mut list = self.threads.lock();
        // SAFETY: the packet and those in the list are mapped, because they are removed before their memory is freed.
        // Their links are only used under the lock, which is held here.
        unsafe {
            control.as_ref().in_scope.set([ptr::null_mut(), list.0]);
            if let Some(next) = NonNull::new(list.0) {
                let [_, after] = next.as_ref().in_scope.get();
                next.as_ref().in_scope.set([control.as_ptr(), after]);
            }
        }
        list.0 = control.as_ptr();
    }

    /// Removes a thread whose memory is about to be freed.
    ///
    /// # Safety
    ///
    /// The packet is in this list.
    pub unsafe fn remove(&self, control: NonNull<Control>) {
        let mut list = self.threads.lock();
        // SAFETY: the packet and those in the list are mapped, because they are removed before their memory is freed.
        // Their links are only used under the lock, which is held here.
        unsafe {
            let [previous, next] = control.as_ref().in_scope.get();
            match NonNull::new(previous) {
                Some(previous) => {
                    let [before, _] = previous.as_ref().in_scope.get();
                    previous.as_ref().in_scope.set([before, next]);
                }
                None => list.0 = next,
            }
            if let Some(next) = NonNull::new(next) {
                let [_, after] = next.as_ref().in_scope.get();
                next.as_ref().in_scope.set([previous, after]);
            }
        }
    }

    /// Counts a thread that is about to start.
    pub fn began(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a thread that has finished. The scope may end after the decrement, so only its address is used from then
    /// on.
    pub fn finished(&self) {
        let address = self.running.as_ptr();
        if self.running.fetch_sub(1, Ordering::Release) == 1 {
            sys::futex_wake_one(address.cast());
        }
    }

    /// Remembers that a thread has panicked whose result was not asked for.
    pub fn panicked(&self) {
        self.has_panicked.store(true, Ordering::Relaxed);
    }

    /// Panics if a thread has, after all have finished.
    pub fn check(&self) {
        assert!(!self.has_panicked.load(Ordering::Relaxed), "a scoped thread has panicked");
    }

    pub(super) fn wait(&self) {
        loop {
            match self.running.load(Ordering::Acquire) {
                0 => return,
                running => sys::futex_wait(&self.running, running, sys::FutexKey::Private),
            }
        }
    }
}
