//! Locks and other ways to wait, on futexes.
//!
//! | type | as |
//! |---|---|
//! | [`Mutex`], [`RwLock`] | those of `lock_api`, over [`RawMutex`] and [`RawRwLock`] |
//! | [`Condvar`] | parking_lot's: it takes the guard by reference |
//! | [`Once`], [`OnceLock`], [`Barrier`] | std's |
//! | [`Parker`] | std's `park` and `unpark`, with a token that the program places itself |
//!
//! Locks are never poisoned: a panic ends the process. Without contention no system call is made. All types are for the
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
pub use raw_mutex::RawMutex;
pub use raw_rwlock::RawRwLock;

/// A value that one thread at a time can access.
pub type Mutex<T> = lock_api::Mutex<RawMutex, T>;

/// The value of a [`Mutex`] while it is locked.
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawMutex, T>;

/// A value that many threads read, or one writes. A thread must not lock it for reading twice: a waiting writer takes
/// precedence over the second lock.
pub type RwLock<T> = lock_api::RwLock<RawRwLock, T>;

/// The value of a [`RwLock`] while it is locked for reading.
pub type RwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, RawRwLock, T>;

/// The value of a [`RwLock`] while it is locked for writing.
pub type RwLockWriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, RawRwLock, T>;
