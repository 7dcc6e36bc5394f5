//! 64 bits that all CPUs share.

#[cfg(target_has_atomic = "64")]
use core::sync::atomic::{AtomicU64, Ordering};

/// A count of 64 bits, for what happens seldom.
#[cfg(target_has_atomic = "64")]
#[derive(Debug)]
pub(super) struct Shared(AtomicU64);

#[cfg(target_has_atomic = "64")]
impl Shared {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn load(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Replaces the value if it is `old`.
    pub(super) fn replace(&self, old: u64, new: u64) -> bool {
        self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// The same where there are no atomics of 64 bits.
#[cfg(not(target_has_atomic = "64"))]
#[derive(Debug)]
pub(super) struct Shared(crate::percpu::lock::SpinLock<u64>);

#[cfg(not(target_has_atomic = "64"))]
impl Shared {
    pub(super) const fn new() -> Self {
        Self(crate::percpu::lock::SpinLock::new(0))
    }

    pub(super) fn load(&self) -> u64 {
        self.0.with(|value| *value)
    }

    pub(super) fn add(&self, count: u64) {
        self.0.with(|value| *value = value.wrapping_add(count));
    }

    /// Replaces the value if it is `old`.
    pub(super) fn replace(&self, old: u64, new: u64) -> bool {
        self.0.with(|value| {
            let is_old = *value == old;
            if is_old {
                *value = new;
            }
            is_old
        })
    }
}
