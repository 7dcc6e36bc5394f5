//! How a section ends: it commits, or leaves by one of the exits that its statement names.

use core::fmt;

/// The section committed: its last store is visible, exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed;

/// The kernel restarted the section, or the thread was not on the CPU that the caller chose. Nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted;

/// A comparison of the section did not hold. Nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompareFailed;

/// The index is not below the storage's length, or the thread is not registered. Nothing was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

macro_rules! exits {
    ($($exit:ident: $text:literal;)*) => {
        $(impl fmt::Display for $exit {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($text)
            }
        }
        impl core::error::Error for $exit {})*
    };
}

exits! {
    Aborted: "the section was aborted before its commit";
    CompareFailed: "a comparison of the section failed";
    OutOfRange: "no storage for this index, or the thread is not registered for rseq";
}

/// The memory order of a commit.
pub trait Order: sealed::Sealed + Copy {
    /// Whether earlier accesses are ordered before the commit.
    const RELEASE: bool;
}

/// A plain store: enough for data that only this CPU's threads read.
#[derive(Clone, Copy, Debug)]
pub struct Relaxed;

/// A store with release semantics, for data that other CPUs read.
#[derive(Clone, Copy, Debug)]
pub struct Release;

impl Order for Relaxed {
    const RELEASE: bool = false;
}

impl Order for Release {
    const RELEASE: bool = true;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Relaxed {}
    impl Sealed for super::Release {}
}
