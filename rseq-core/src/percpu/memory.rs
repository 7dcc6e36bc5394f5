//! The per-CPU memory of this process, in which the types of this module have their slots.

use super::cpu_set::CpuSet;
use super::{PossibleCpus, Region};
use crate::Cause;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes between an item's copies for two CPUs. Pages of up to this size hold the slots of one CPU only.
pub(super) const STRIDE: usize = if usize::BITS == 64 { 1 << 16 } else { 1 << 13 };

/// Slots of an item: one for each CPU number; 0 before the first use.
static SLOTS: AtomicUsize = AtomicUsize::new(0);

/// Whether this kernel does not restart sections; valid once `SLOTS` is not 0.
static IS_OFF: AtomicBool = AtomicBool::new(false);

/// The memory that items are allocated from.
static REGION: Region<STRIDE> = Region::new();

/// The most slots of an item.
const LIMIT: usize = CpuSet::LIMIT as usize;

/// Slots of an item; 0 before [`region`] or [`slot_count`].
#[inline]
pub(super) fn slots() -> usize {
    SLOTS.load(Ordering::Relaxed)
}

/// Slots of an item.
pub(super) fn slot_count() -> usize {
    match SLOTS.load(Ordering::Acquire) {
        0 => prepare(),
        slots => slots,
    }
}

/// Whether sections work on this kernel.
pub(super) fn is_on() -> bool {
    slot_count() != 0 && !IS_OFF.load(Ordering::Relaxed)
}

/// The region and the number of slots of its items; None if sections do not work on this kernel.
pub(super) fn region() -> Option<(&'static Region<STRIDE>, usize)> {
    is_on().then(|| (&REGION, slots()))
}

/// Determines the number of slots. Threads that do so at the same time get the same one.
#[cold]
fn prepare() -> usize {
    let slots = most_cpus();
    IS_OFF.store(Cause::of_kernel().is_some(), Ordering::Relaxed);
    SLOTS.store(slots, Ordering::Release);
    slots
}

/// As many slots as there are possible CPUs, as the kernel, or a container, shows them; a thread on a CPU with a higher
/// number has no slot. Where nothing is shown, the most CPUs of any kernel.
fn most_cpus() -> usize {
    PossibleCpus::read().map_or(LIMIT, |cpus| cpus.slots_by_cpu().min(LIMIT))
}

/// Why there are no slots; None if there are some.
pub(crate) fn off_cause() -> Option<Cause> {
    if is_on() { None } else { Cause::of_kernel() }
}
