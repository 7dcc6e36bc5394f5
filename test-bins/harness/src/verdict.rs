//! What a test returns.

use rseq_core::sys::Errno;

use crate::text::Text;

/// The reason of a result; cut at 239 bytes.
pub type Reason = Text<240>;

/// Why a test did not simply pass.
pub enum Unmet {
    /// It failed.
    Fail(Reason),
    /// What it waited for did not happen before its deadline: it failed, but nothing is known to be wrong.
    TimedOut(Reason),
    /// It cannot run here.
    Skip(Reason),
    /// It failed in a way that is known and accepted.
    Expected(Reason),
    /// It passed although it is known to fail here.
    Unexpected(Reason),
}

/// What a test returns: `Ok` is a pass.
pub type Verdict = Result<(), Unmet>;

/// A failure with a formatted reason.
#[macro_export]
macro_rules! fail {
    ($($arg:tt)*) => { $crate::verdict::Unmet::Fail($crate::text::Text::of(format_args!($($arg)*))) };
}

/// A failure by a deadline, with a formatted reason.
#[macro_export]
macro_rules! late {
    ($($arg:tt)*) => { $crate::verdict::Unmet::TimedOut($crate::text::Text::of(format_args!($($arg)*))) };
}

/// A skip with a formatted reason.
#[macro_export]
macro_rules! skip {
    ($($arg:tt)*) => { $crate::verdict::Unmet::Skip($crate::text::Text::of(format_args!($($arg)*))) };
}

/// An expected failure with a formatted reason.
#[macro_export]
macro_rules! expected {
    ($($arg:tt)*) => { $crate::verdict::Unmet::Expected($crate::text::Text::of(format_args!($($arg)*))) };
}

/// Returns a failure with the formatted reason unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($arg:tt)*) => { if !$condition { return Err($crate::fail!($($arg)*)); } };
}

/// Returns a failure by a deadline with the formatted reason unless the condition holds.
#[macro_export]
macro_rules! in_time {
    ($condition:expr, $($arg:tt)*) => { if !$condition { return Err($crate::late!($($arg)*)); } };
}

/// Turns an error into a test's failure that names what was tried.
pub trait OrFail<T> {
    /// `what` names the step that must not fail.
    fn or_fail(self, what: &str) -> Result<T, Unmet>;
}

impl<T> OrFail<T> for Result<T, Errno> {
    fn or_fail(self, what: &str) -> Result<T, Unmet> {
        match self {
            Ok(value) => Ok(value),
            Err(errno) => Err(failed(what, errno)),
        }
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_fail(self, what: &str) -> Result<T, Unmet> {
        match self {
            Some(value) => Ok(value),
            None => Err(missing(what)),
        }
    }
}

/// Separate from [`OrFail`], so that there is one copy of it.
#[cold]
#[inline(never)]
fn failed(what: &str, errno: Errno) -> Unmet {
    crate::fail!("{what}: {errno}")
}

#[cold]
#[inline(never)]
fn missing(what: &str) -> Unmet {
    crate::fail!("{what}")
}
