//! Threads that borrow from the stack of the thread that starts them.

use super::ThreadId;
use super::packet::{self, Control, JoinHandle};
use crate::sync::Mutex;
use crate::sys;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU32, Ordering};
use rseq_core::sys::Errno;

/// A list of packets, linked in both directions.
struct List(*mut Control);

// SAFETY: the list is used only under a lock.
unsafe impl Send for List {}

/// The threads of a scope.
pub struct ScopeState {
    /// How many threads still use what they borrowed.
    running: AtomicU32,
    /// Those whose memory has not been freed, by a handle or by the thread itself.
    threads: Mutex<List>,
}

impl ScopeState {
    const fn new() -> Self {
        Self { running: AtomicU32::new(0), threads: Mutex::new(List(ptr::null_mut())) }
    }

    /// Adds a thread that has a handle.
    ///
    /// # Safety
    ///
    /// The packet is in no list, and [`remove`](Self::remove) takes it out of this one before its memory is freed.
    pub unsafe fn insert(&self, control: NonNull<Control>) {
        let mut list = self.threads.lock();
        // SAFETY: the links of packets in the list are used under the lock only.
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
        // SAFETY: the links of packets in the list are used under the lock only.
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

    /// Waits for all threads, and frees the memory of those whose handles were forgotten.
    fn end(&self) {
        loop {
            self.wait();
            let first = self.threads.lock().0;
            let Some(control) = NonNull::new(first) else { return };
            // SAFETY: all threads have finished. A handle that is not forgotten would have removed its thread from the
            // list: no handle can outlive the scope, except in the result of a thread, which is dropped here.
            unsafe { packet::give_back(control) };
        }
    }

    /// Counts one more thread.
    pub fn began(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one thread less. The scope may be gone after the decrement, so only its address is used from there on.
    pub fn finished(&self) {
        let address = self.running.as_ptr();
        if self.running.fetch_sub(1, Ordering::Release) == 1 {
            sys::futex_wake_one(address.cast());
        }
    }

    fn wait(&self) {
        loop {
            match self.running.load(Ordering::Acquire) {
                0 => return,
                running => sys::futex_wait(&self.running, running, sys::FutexKey::Private),
            }
        }
    }
}

/// Starts scoped threads; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    state: ScopeState,
    /// Invariant in both lifetimes, so that neither can be shortened to let a borrow end too early.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Runs `function`, which can start threads that borrow from outside of the scope, and returns its value when all of
/// those threads have finished.
pub fn scope<'env, F, T>(function: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope { state: ScopeState::new(), scope: PhantomData, env: PhantomData };
    let value = function(&scope);
    scope.state.end();
    value
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a thread with the default stack.
    ///
    /// # Errors
    ///
    /// As [`spawn`](super::spawn).
    pub fn spawn<F, T>(&'scope self, function: F) -> Result<ScopedJoinHandle<'scope, T>, Errno>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_with(super::Builder::new(), function)
    }

    pub(super) fn spawn_with<F, T>(
        &'scope self,
        builder: super::Builder,
        function: F,
    ) -> Result<ScopedJoinHandle<'scope, T>, Errno>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        // SAFETY: `scope` does not return before the state counts every thread as finished, and a panic, which could
        // end it early, ends the process. So what `'scope` borrows lives long enough.
        let handle = unsafe { packet::spawn(builder, function, Some(&self.state)) }?;
        Ok(ScopedJoinHandle { handle, scope: PhantomData })
    }
}

/// A thread of a scope that can be joined. Dropping or forgetting the handle leaves the thread to its scope.
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<T>,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits until the thread is gone, and returns its result.
    ///
    /// # Panics
    ///
    /// As [`JoinHandle::join`].
    pub fn join(self) -> T {
        self.handle.join()
    }

    /// As [`JoinHandle::try_join`].
    pub fn try_join(self) -> Option<T> {
        self.handle.try_join()
    }

    /// As [`JoinHandle::id`].
    pub fn id(&self) -> ThreadId {
        self.handle.id()
    }

    /// Whether the closure has returned.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}
