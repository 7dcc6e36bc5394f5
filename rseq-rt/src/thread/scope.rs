//! Threads that borrow from the stack of the thread that starts them.

use super::packet::{self, JoinHandle};
use crate::sys;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, Ordering};
use rseq_core::sys::Errno;

/// How many threads of a scope still use what they borrowed.
pub struct ScopeState {
    running: AtomicU32,
}

impl ScopeState {
    /// One more thread.
    pub fn began(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    /// One thread less. The scope may be gone once the count is down, so only its address is used after that.
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

/// Where scoped threads are started; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    state: ScopeState,
    /// Invariant in both lifetimes, so that neither can be shortened to let a borrow end too early.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Runs `function`, in which threads can be started that borrow what is older than the scope, and returns its value when
/// all of those threads have finished.
pub fn scope<'env, F, T>(function: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope { state: ScopeState { running: AtomicU32::new(0) }, scope: PhantomData, env: PhantomData };
    let value = function(&scope);
    scope.state.wait();
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
        // SAFETY: `scope` does not return before the state counts every thread as finished, and a panic, which could end
        // it early, ends the process. What `'scope` borrows lives for that long.
        let handle = unsafe { packet::spawn(builder, function, Some(&self.state)) }?;
        Ok(ScopedJoinHandle { handle, scope: PhantomData })
    }
}

/// A thread of a scope that can be joined. Dropping the handle leaves the thread to its scope.
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<T>,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits until the thread is gone, and returns its result.
    pub fn join(self) -> T {
        self.handle.join()
    }

    /// Whether the closure has returned.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}
