//! Per-CPU data, safe to use.
//!
//! | type | what it is |
//! |---|---|
//! | [`Counter`], [`percpu_counters!`](crate::percpu_counters) | counts of 64 bits, and groups of them |
//! | [`Gauge`], [`Max`], [`Min`] | a signed value; the highest and the lowest value that was recorded |
//! | [`Histogram`] | how often which values were recorded, in buckets |
//! | [`PerCpu`] | a value of any type for each CPU, changed by sections of the program's own |
//! | [`SlotStorage`], [`Slots`] | memory with one slot for each index that a thread can have |
//! | [`SlotCounter`] | a count that each CPU adds to in its own slot |
//! | [`SlotPool`] | values in a free list for each CPU |
//! | [`Stack`], [`Stacks`] | bounded stacks of words, for the caches of allocators; [`Batch`] moves many at once |
//! | [`Ring`] | records of any length, for one consumer, or one for each CPU |
//! | [`Region`], [`DynRegion`] | memory with a copy for each CPU, allocated in items of any size |
//! | [`Lock`] | a value for each CPU, which one thread changes at a time |
//! | [`Pool`] | values that any thread pops and pushes, from lists for each CPU and one that all share |
//! | [`List`] | an intrusive list for each CPU |
//! | [`PossibleCpus`] | the CPUs there can be, and so how many slots are needed |
//!
//! # The index
//!
//! Slots are indexed by CPU number ([`ByCpu`](crate::ByCpu)) or by concurrency ID ([`ByMmCid`](crate::ByMmCid)). Most
//! types make their slots at their first use, and need no token; their last type parameter chooses the index. Only
//! [`SlotCounter`] and [`SlotPool`] are given storage. By CPU, it has one slot more than the highest possible CPU
//! number. By concurrency ID it has as many as there are possible CPUs, and a process uses no more of them than it has
//! threads that run at once. The type of a storage fixes its index, and operations take a [`Token`](crate::Token) by
//! the same one: [`Registration::token`](crate::Registration::token) is for CPU numbers, and
//! [`Token::by_mm_cid`](crate::Token::by_mm_cid) turns it into one by concurrency ID, where the kernel maintains that
//! (Linux 6.3).
//!
//! For an index without a slot, operations with a token return an [`IndexError`], which their section has found. The
//! other types use their fallback.
//!
//! # Which kernels
//!
//! By CPU, everything works from Linux 4.18 on, by concurrency ID from 6.3 on. **Linux 6.19 and 7.0 on arm64 restart no
//! section** unless the thread changes its CPU (measured on Debian's 6.19.14 and 7.0.13; 7.1 does restart them), so a
//! thread that is preempted there, or a signal handler, can undo another one's change.
//!
//! The types without a token recognise these kernels and use their fallback there: [`status`](crate::status) is
//! [`Cause::NotRestarted`](crate::Cause::NotRestarted). [`SlotCounter`] loses counts there, and [`SlotPool`] can hand
//! out one value twice, which is unsound. A program that may run on such a kernel calls [`self_test`](crate::self_test)
//! once before it makes either of these two, and does without them if the answer is
//! [`SelfTestError::NotRestarted`](crate::SelfTestError::NotRestarted).
//!
//! # Memory that processes share
//!
//! Storage may be memory that processes share, if it is declared so ([`Slots::shared`]). It is then indexed by CPU
//! number, because a concurrency ID is a number within one process, and [`UniqueIn`] rejects it. The items of a
//! [`Region`] can be shared too ([`RegionOptions::shared`], or memory that the program maps): the program's own
//! sections reach them by address, so indexing by CPU number is part of their safety contract. All other types are for
//! the threads of one process.

mod chain;
mod closing;
mod copies;
mod counter;
mod cpu_list;
mod cpu_lock;
mod cpu_set;
mod error;
mod fence;
mod gauge;
mod histogram;
mod list;
mod lock;
mod memory;
mod node;
mod per_cpu;
mod pool;
mod possible;
mod region;
mod remote_error;
mod ring;
mod sharing;
mod slot_counter;
mod slot_pool;
mod slots;
mod stack;
mod storage;
#[cfg(all(test, not(miri), not(rseq_stub)))]
mod test_machine;
mod watermark;

pub use counter::{Counter, CounterMember};
#[doc(hidden)]
pub use counter::{CounterGroup, Counters, named_resets, named_sums};
pub use cpu_list::{CpuRanges, ParseError};
pub use cpu_lock::{Lock, LockGuard};
pub use error::IndexError;
pub use gauge::Gauge;
pub use histogram::{Histogram, Snapshot};
pub use list::{List, Nodes};
pub(crate) use memory::off_cause;
pub use node::Node;
pub use per_cpu::PerCpu;
pub use pool::{Pool, PoolItem, PoolItems};
pub use possible::PossibleCpus;
pub use region::{DynRegion, Finding, Region, RegionError, RegionOptions, RegionShape, move_to_node_of};
pub use remote_error::RemoteError;
pub use ring::{Consumer, ConsumerError, Record, Reservation, Ring, RingError, RingTotals};
pub use sharing::{Private, Shared, UniqueIn};
pub use slot_counter::SlotCounter;
pub use slot_pool::{Item, PushError, SlotPool};
pub use slots::{Slots, SlotsError};
pub use stack::{Batch, Full, Stack, Stacks, Word};
pub use storage::SlotStorage;
pub use watermark::{Max, Min};
