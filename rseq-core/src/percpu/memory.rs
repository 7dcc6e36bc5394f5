//! The per-CPU memory of this process, in which the types of this module have their slots.

use super::Region;
use super::cpu_set::CpuSet;
use crate::{Cause, sys};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Bytes between an item's copies of two CPUs. Pages are their CPU's own up to this size.
pub(super) const STRIDE: usize = if usize::BITS == 64 { 1 << 16 } else { 1 << 13 };

/// Slots of an item: one for each CPU number; 0 before anybody asked, and where there are to be none.
static SLOTS: AtomicUsize = AtomicUsize::new(0);

/// Whether somebody asked, and there are to be none.
static IS_OFF: AtomicU32 = AtomicU32::new(0);

/// Where items are.
static REGION: Region<STRIDE> = Region::new();

/// The most slots that an item can have. Indices below it that have no slot are none that the kernel gives.
pub(super) const LIMIT: usize = CpuSet::LIMIT as usize;

/// Slots of an item; 0 before [`region`].
pub(super) fn slots() -> usize {
    SLOTS.load(Ordering::Relaxed)
}

/// The region, once it is known how many slots an item has.
pub(super) fn region() -> Option<(&'static Region<STRIDE>, usize)> {
    match SLOTS.load(Ordering::Acquire) {
        0 if IS_OFF.load(Ordering::Relaxed) != 0 => None,
        0 => prepare().ok().map(|slots| (&REGION, slots)),
        slots => Some((&REGION, slots)),
    }
}

/// Finds out how many slots there are. Threads that do so at the same time find the same.
#[cold]
fn prepare() -> Result<usize, Cause> {
    let slots = match Cause::of_kernel() {
        Some(defect) => Err(defect),
        None => Ok(most_cpus()),
    };
    match slots {
        Ok(slots) => SLOTS.store(slots, Ordering::Release),
        Err(_) => IS_OFF.store(1, Ordering::Relaxed),
    }
    slots
}

/// So many CPU numbers that no CPU has a higher one, whatever a container shows: the kernel's own masks are so large.
/// Where a filter refuses the call, as many as any kernel has.
fn most_cpus() -> usize {
    sys::affinity_mask_size().map_or(LIMIT, |size| (size * 8).min(LIMIT))
}

/// Why there are no slots, if there are none.
pub(crate) fn off_cause() -> Option<Cause> {
    region().is_none().then(|| prepare().err().unwrap_or(Cause::NoMemory))
}
