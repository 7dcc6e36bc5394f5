//! An item that a stack did not accept.

use core::fmt;

/// An item that a stack has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stack is full")
    }
}

impl<T: fmt::Debug> core::error::Error for Full<T> {}
