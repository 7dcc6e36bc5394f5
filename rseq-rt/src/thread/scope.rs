//! Threads that borrow from the stack of the thread that starts them.

use super::ThreadId;
use super::handle::{self, JoinHandle};
use super::roster::ScopeState;
use core::marker::PhantomData;
use rseq_core::sys::Errno;

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
        let handle = unsafe { handle::spawn(builder, function, Some(&self.state)) }?;
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
