//! The options of a new thread.

use super::name::Name;

/// The stack size of [`spawn`](super::spawn), in bytes.
pub const DEFAULT_STACK_SIZE: usize = 256 << 10;

/// The smallest stack size of a [`Builder`], in bytes.
pub const MIN_STACK_SIZE: usize = 16 << 10;

/// The options of a new thread.
#[derive(Clone, Copy, Debug)]
pub struct Builder {
    pub(super) stack_size: usize,
    pub(super) is_process: bool,
    pub(super) name: Name,
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

    /// Sets the stack size in bytes, at least [`MIN_STACK_SIZE`]. The thread's memory as a whole is rounded up to whole
    /// pages: the closure, the result and the thread-local storage follow the stack.
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
    ///
    /// The child may end before its closure has returned: a panic, [`process::exit`](crate::process::exit) and a signal
    /// end this process only. It has no result then: see [`JoinHandle::try_join`](super::JoinHandle::try_join). In a
    /// scope, starting one is an error (EINVAL).
    #[must_use]
    pub const fn process(self) -> Self {
        Self { is_process: true, ..self }
    }
}
