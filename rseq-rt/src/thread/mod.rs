//! Threads: each with its own stack, guard page, TLS block and rseq registration.
//!
//! Starting a thread needs no heap: one mapping holds its stack, its closure, its result and its TLS block. A panic in
//! any thread ends the process, so [`JoinHandle::join`] returns the result and not a `Result`. There are two
//! exceptions: a child process ([`Builder::process`]) ends alone, and in unit tests (feature `hosted`) a panic ends its
//! thread only.

mod builder;
mod current;
mod data;
mod handle;
mod id;
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

pub use builder::{Builder, DEFAULT_STACK_SIZE, MIN_STACK_SIZE};
pub use current::{Current, current, exit, sleep, tid, yield_now};
pub use handle::{JoinHandle, spawn};
pub use id::ThreadId;
pub use local::{AccessError, LocalKey};
pub use name::Name;
pub use scope::{Scope, ScopedJoinHandle, scope};

#[cfg(not(feature = "hosted"))]
pub(crate) use {data::ThreadData, local::drop_locals, own::remember_main};
