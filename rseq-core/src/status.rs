//! Whether this thread's sections are on, and if not, why.

use crate::ambient::ensure_registered;
use crate::{Cause, Owner};
use core::fmt;

/// Whether per-CPU data works by sections in this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// By sections. This is the owner of the thread's registration.
    On(Owner),
    /// By the fallback of each type, atomic or under a lock: exact, and slower.
    Off(Cause),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(owner) => write!(f, "on: {owner} registers threads"),
            Self::Off(cause) => write!(f, "off: {cause}"),
        }
    }
}

/// Whether per-CPU data works by sections in this thread; the owner of the thread's registration, or the cause.
///
/// It registers the thread as the first use of per-CPU data would: see [`ensure_registered`].
///
/// # Examples
///
/// ```
/// use rseq_core::{Status, status};
///
/// match status() {
///     Status::On(owner) => println!("{owner} has registered this thread"),
///     other => eprintln!("per-CPU data is slower here: rseq is {other}"),
/// }
/// ```
pub fn status() -> Status {
    let cause = match ensure_registered() {
        Ok(owner) => match crate::percpu::off_cause() {
            None => return Status::On(owner),
            Some(cause) => cause,
        },
        Err(cause) => cause,
    };
    Status::Off(cause)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    #[test]
    fn it_displays_as_the_owner_or_the_cause() {
        assert_eq!(Status::On(Owner::Libc).to_string(), "on: the libc registers threads");
        assert_eq!(Status::Off(Cause::ThreadEnds).to_string(), std::format!("off: {}", Cause::ThreadEnds));
    }
}
