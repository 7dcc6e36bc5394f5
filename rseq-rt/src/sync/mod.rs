//! Locks and other ways to wait, on futexes.

mod raw_mutex;

pub use raw_mutex::RawMutex;
