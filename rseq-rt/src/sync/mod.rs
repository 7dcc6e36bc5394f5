//! Locks and other ways to wait, on futexes.
//!
//! | type | as |
//! |---|---|
//! | [`Mutex`], [`RwLock`] | those of `lock_api`, over [`RawMutex`] and [`RawRwLock`] |
//! | [`Condvar`] | parking_lot's: it takes the guard by reference |
//! | [`Once`], [`OnceLock`], [`Barrier`] | std's |
//! | [`Parker`] | std's `park` and `unpark`, with a token that the program places itself |
//!
//! Locks are never poisoned: a panic ends the process, except in unit tests (feature `hosted`), where it unwinds and
//! unlocks. Without contention no system call is made. All types are for the
//! threads of one process; a child process inherits a lock in its present state, even if a thread holds it that the
//! child does not have.
//!
//! ```ignore
//! use rseq_rt::sync::{Condvar, Mutex};
//!
//! static QUEUE: (Mutex<u32>, Condvar) = (Mutex::new(0), Condvar::new());
//!
//! *QUEUE.0.lock() += 1;
//! QUEUE.1.notify_one();
//! ```

mod barrier;
mod condvar;
mod once;
mod park;
mod raw_mutex;
mod raw_rwlock;

pub use barrier::Barrier;
pub use condvar::Condvar;
pub use once::{Once, OnceLock};
pub use park::Parker;
pub use raw_mutex::{Mutex, MutexGuard, RawMutex};
pub use raw_rwlock::{RawRwLock, RwLock, RwLockReadGuard, RwLockWriteGuard};
