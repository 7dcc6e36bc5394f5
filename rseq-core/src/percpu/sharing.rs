//! Whose memory storage is, and which index is unique among its users.

use crate::{ByCpu, ByMmCid, Index};

/// Memory of one process: only its threads use it.
#[derive(Clone, Copy, Debug)]
pub struct Private;

/// Memory that processes share (`MAP_SHARED`, System V shared memory, a file).
#[derive(Clone, Copy, Debug)]
pub struct Shared;

/// An index that is unique at any time among the threads that use memory of sharing `S`.
///
/// A CPU runs one thread, whichever process that belongs to. A concurrency ID is a number within one address space: it
/// starts at 0 in each process, so that two processes at once have the same ones, and would change the same slot.
/// Storage that processes share is therefore indexed by CPU number:
///
/// ```compile_fail,E0277
/// # use core::sync::atomic::AtomicUsize;
/// # use rseq_core::{ByMmCid, percpu::{PossibleCpus, Slots, SlotsError}};
/// fn mixed<'a>(words: &'a [AtomicUsize], cpus: &PossibleCpus) -> Result<Slots<'a, ByMmCid>, SlotsError> {
///     unsafe { Slots::shared(words, cpus) }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "an index that is not unique among the users of this storage",
    label = "in memory that processes share, two of them have the same concurrency ID at the same time",
    note = "storage that processes share is indexed by CPU number: `ByCpu`"
)]
pub trait UniqueIn<S>: Index {}

impl UniqueIn<Private> for ByCpu {}
impl UniqueIn<Private> for ByMmCid {}
impl UniqueIn<Shared> for ByCpu {}
