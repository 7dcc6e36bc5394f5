//! Whose memory storage is, and which index keeps those apart who use it.

use crate::{ByCpu, ByMmCid};

/// Says in a type that storage is memory of one process: only its threads use it.
#[derive(Clone, Copy, Debug)]
pub struct Private;

/// Says in a type that processes share the storage (`MAP_SHARED`, System V shared memory, a file).
#[derive(Clone, Copy, Debug)]
pub struct Shared;

/// An index that no two threads which use storage of sharing `S` have at the same time.
///
/// A CPU runs one thread, of whichever process. A concurrency ID is a number within one address space: it begins at 0 in
/// each process, so processes that run at the same time have the same ones, and would change the same slot at once. Storage
/// that processes share therefore goes by CPU:
///
/// ```compile_fail
/// # use rseq_core::{ByMmCid, percpu::{Counter, Shared, Slots}};
/// fn mixed(slots: Slots<'_, 64, Shared>) -> Counter<'_, ByMmCid> {
///     Counter::new(slots)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "an index that is not unique among the users of this storage",
    label = "in memory that processes share, two of them have the same concurrency ID at the same time",
    note = "storage that processes share goes by CPU: `ByCpu`"
)]
pub trait UniqueIn<S>: sealed::Sealed {}

impl UniqueIn<Private> for ByCpu {}
impl UniqueIn<Private> for ByMmCid {}
impl UniqueIn<Shared> for ByCpu {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ByCpu {}
    impl Sealed for super::ByMmCid {}
}
