//! Per-CPU data over memory that the caller gives, built on sections only, and safe to use.
//!
//! Storage has one slot for each index that a thread can have: by CPU, one more than the highest possible CPU number; by
//! concurrency ID, the number of possible CPUs ([`PossibleCpus`] knows both). An index without a slot is an
//! [`OutOfRange`](crate::OutOfRange) error of the operation, found inside its section.
//!
//! Storage may be memory that processes share, if it says so ([`Slots::shared`]): it goes by CPU then, because a concurrency
//! ID is a number within one process, and [`UniqueIn`] turns away the other.

mod counter;
mod cpu_list;
mod pool;
mod possible;
mod sharing;
mod slots;

pub use counter::Counter;
pub use cpu_list::{CpuRanges, ParseError};
pub use pool::{Item, Node, Pool, PushError};
pub use possible::PossibleCpus;
pub use sharing::{Private, Shared, UniqueIn};
pub use slots::{CacheAligned, Slots, SlotsError};
