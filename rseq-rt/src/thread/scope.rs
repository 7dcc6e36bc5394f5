//! Threads that borrow from the stack of the thread that starts them.

use super::builder::Builder;
use super::data::ScopeState;
use super::handle::{self, JoinHandle};
use super::id::ThreadId;
use super::packet;
use core::marker::PhantomData;
use core::ptr::NonNull;
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
///
/// # Panics
///
/// In unit tests (feature `hosted`), if a thread has panicked and neither `join` nor `try_join` was called for it.
pub fn scope<'env, F, T>(function: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope { state: ScopeState::new(), scope: PhantomData, env: PhantomData };
    let value = {
        let _end = End(&scope.state);
        function(&scope)
    };
    scope.state.check();
    value
}

/// Ends a scope when its function returns, or unwinds, as a panic does in unit tests.
struct End<'a>(&'a ScopeState);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl ScopeState {
    /// Waits for all threads, and frees the memory of those whose handles were forgotten.
    fn end(&self) {
        loop {
            self.wait();
            let first = self.threads.lock().0;
            let Some(control) = NonNull::new(first) else { return };
            // SAFETY: all threads have finished, and so have left their results to their handles. A handle that is not
            // forgotten would have removed its thread from the list: no handle can outlive the scope, except in the
            // result of a thread, which is dropped here.
            unsafe { packet::give_back(control) };
        }
    }
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
        Builder::new().spawn_scoped(self, function)
    }
}

impl Builder {
    /// Starts a thread in a scope.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn); EINVAL with [`process`](Self::process), because a child process may be killed
    /// before its closure has returned, and the scope would wait for ever.
    pub fn spawn_scoped<'scope, F, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        function: F,
    ) -> Result<ScopedJoinHandle<'scope, T>, Errno>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        if self.is_process {
            return Err(Errno::EINVAL);
        }
        // SAFETY: `scope` neither returns nor unwinds before the state counts every thread as finished, because it
        // drops `End` first. So what `'scope` borrows lives long enough.
        let handle = unsafe { handle::start(self, function, Some(&scope.state)) }?;
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

    /// As [`JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}
