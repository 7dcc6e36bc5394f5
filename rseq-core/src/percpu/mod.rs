//! Per-CPU data over memory that the caller gives, built on sections only, and safe to use.
//!
//! Storage has one slot for each index that a thread can have: by CPU, one more than the highest possible CPU number; by
//! concurrency ID, the number of possible CPUs ([`PossibleCpus`] knows both). An index without a slot is an
//! [`OutOfRange`](crate::OutOfRange) error of the operation, found inside its section.
//!
//! Storage may be memory that processes share, if it says so ([`Slots::shared`]): it goes by CPU then, because a concurrency
//! ID is a number within one process, and [`Separates`] turns away the other.
//!
//! # A kernel on which none of this holds
//!
//! Linux 6.19 and 7.0 on arm64 restart no section that is interrupted (measured on Debian's 6.19.14 and 7.0.13; 7.1
//! does). All types of this module rely on restarts, so there two threads, or a thread and its signal handler, may add
//! to the same value or pop the same node: counts are lost, and [`Pool`] is unsound. A program that may run on such a
//! kernel calls [`self_test`](crate::self_test) once, before it makes the first of these types, and does without them
//! if the answer is [`SelfTestError::NotRestarted`](crate::SelfTestError::NotRestarted).

mod counter;
mod cpu_list;
mod pool;
mod possible;
mod sharing;
mod slots;

pub use counter::Counter;
pub use cpu_list::{CpuRanges, ParseError};
pub use pool::{GiveError, Item, Node, Pool};
pub use possible::PossibleCpus;
pub use sharing::{Private, Separates, Shared};
pub use slots::{CacheAligned, Slots, SlotsError};
