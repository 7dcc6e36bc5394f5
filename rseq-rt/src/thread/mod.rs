//! Threads: each with its own stack, guard page, TLS block and rseq registration.
//!
//! Starting a thread needs no heap: one mapping holds its stack, its closure, its result and its TLS block. A panic in
//! any thread ends the process, so [`JoinHandle::join`] returns the result and not a `Result`.

mod current;
mod data;
mod handle;
mod kept;
#[cfg_attr(feature = "hosted", path = "../hosted/life.rs")]
mod life;
mod local;
mod locals;
#[cfg_attr(feature = "hosted", path = "../hosted/memory.rs")]
mod memory;
mod name;
#[cfg_attr(feature = "hosted", path = "../hosted/own.rs")]
mod own;
mod packet;
mod roster;
mod scope;

pub use current::{Current, ThreadId, current, exit};
pub use handle::JoinHandle;
pub use local::{AccessError, LocalKey};
pub use name::Name;
pub use scope::{Scope, ScopedJoinHandle, scope};

#[cfg(not(feature = "hosted"))]
pub(crate) use {data::ThreadData, own::remember_main};

use crate::sys;
use core::time::Duration;
use rseq_core::sys::Errno;

/// The stack size of [`spawn`], in bytes.
pub const DEFAULT_STACK_SIZE: usize = 256 << 10;

/// The smallest stack size of a [`Builder`], in bytes.
pub const MIN_STACK_SIZE: usize = 16 << 10;

/// The options of a new thread.
#[derive(Clone, Copy, Debug)]
pub struct Builder {
    stack_size: usize,
    is_process: bool,
    name: Name,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// The default options.
    pub const fn new() -> Self {
        Self { stack_size: DEFAULT_STACK_SIZE, is_process: false, name: Name::EMPTY }
    }

    /// Sets the stack size in bytes, at least [`MIN_STACK_SIZE`]. It is rounded up to whole pages. The closure and the
    /// result are stored outside the stack.
    #[must_use]
    pub const fn stack_size(self, bytes: usize) -> Self {
        Self { stack_size: bytes, ..self }
    }

    /// Sets the thread's name, truncated to 15 bytes, or at the first NUL. `/proc/self/task/TID/comm` and `ps` show it.
    /// The default is the name of the thread that starts it.
    #[must_use]
    pub const fn name(self, name: &str) -> Self {
        Self { name: Name::new(name), ..self }
    }

    /// Makes the thread a child process that shares this one's memory (`CLONE_VM` without `CLONE_THREAD`). It is joined
    /// like any other thread. The program must also reap it, by `wait4(2)`; its exit code is 0.
    #[must_use]
    pub const fn process(self) -> Self {
        Self { is_process: true, ..self }
    }

    /// Starts a thread.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`]; EINVAL if the stack size is below [`MIN_STACK_SIZE`], or if the alignment of the closure or
    /// the result is larger than a page; ENOMEM if the stack is too large.
    pub fn spawn<F, T>(self, function: F) -> Result<JoinHandle<T>, Errno>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: the closure and its result are `'static`, so that what they borrow outlives the thread.
        unsafe { handle::spawn(self, function, None) }
    }

    /// Starts a thread in a scope.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn).
    pub fn spawn_scoped<'scope, F, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        function: F,
    ) -> Result<ScopedJoinHandle<'scope, T>, Errno>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        scope.spawn_with(self, function)
    }
}

/// Starts a thread with [`DEFAULT_STACK_SIZE`] bytes of stack.
///
/// # Errors
///
/// EAGAIN if a limit on threads is reached, ENOMEM without memory for the stack. The closure is dropped.
pub fn spawn<F, T>(function: F) -> Result<JoinHandle<T>, Errno>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Builder::new().spawn(function)
}

/// Drops the calling thread's thread-locals.
#[cfg(not(feature = "hosted"))]
pub(crate) fn drop_locals() {
    ThreadData::current().locals.destroy();
}

/// Yields the CPU, by `sched_yield(2)`.
pub fn yield_now() {
    sys::yield_now();
}

/// Sleeps for at least this long, and continues to sleep after a signal.
pub fn sleep(duration: Duration) {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let mut left = [seconds, duration.subsec_nanos().into()];
    while sys::sleep(&mut left) == Err(Errno::EINTR) {}
}

/// The calling thread's ID in the kernel, by `gettid(2)`.
pub fn tid() -> u32 {
    sys::gettid()
}
