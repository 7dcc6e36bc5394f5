//! Who registers threads where std starts them.

use core::fmt;
use rseq_core::{KernelRseq, Mode, OwnArea, Token};

/// Why threads are not registered by the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRegistered {
    /// Threads are started by std. Only the libc registers them.
    Hosted,
}

impl fmt::Display for NotRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("left to the libc by the feature hosted")
    }
}

impl core::error::Error for NotRegistered {}

/// What the kernel has of rseq, by the auxiliary vector.
pub fn kernel() -> KernelRseq {
    KernelRseq::read()
}

/// Always [`NotRegistered::Hosted`].
///
/// # Errors
///
/// That.
pub fn registration() -> Result<Mode, NotRegistered> {
    Err(NotRegistered::Hosted)
}

/// Always `None`: the runtime's area is not the one that is registered. The types of `rseq_core::percpu` find that one.
#[inline]
pub fn current() -> Option<Token<'static, OwnArea>> {
    None
}

/// What a thread has of the runtime's registration: nothing.
pub struct OfThread(());

impl OfThread {
    /// Nothing is done.
    ///
    /// # Safety
    ///
    /// None is needed.
    pub unsafe fn enter() -> Self {
        Self(())
    }

    /// Nothing is to be released.
    pub fn leave(self) -> bool {
        true
    }
}
