//! 64 bits that all CPUs share.

#[cfg(target_has_atomic = "64")]
use core::sync::atomic::{AtomicU64, Ordering};

/// A count of 64 bits, for slow paths.
#[cfg(target_has_atomic = "64")]
#[derive(Debug)]
pub(in crate::percpu) struct Shared(AtomicU64);

#[cfg(target_has_atomic = "64")]
impl Shared {
    pub(in crate::percpu) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(in crate::percpu) fn load(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(in crate::percpu) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Raises the value to `value` if it is lower.
    pub(in crate::percpu) fn raise(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }

    /// Takes the value, and leaves 0.
    pub(in crate::percpu) fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }

    /// Replaces the value if it is `old`.
    pub(in crate::percpu) fn replace(&self, old: u64, new: u64) -> bool {
        self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// The same where there are no atomics of 64 bits.
#[cfg(not(target_has_atomic = "64"))]
#[derive(Debug)]
pub(in crate::percpu) struct Shared(crate::percpu::lock::SpinLock<u64>);

#[cfg(not(target_has_atomic = "64"))]
impl Shared {
    pub(in crate::percpu) const fn new() -> Self {
        Self(crate::percpu::lock::SpinLock::new(0))
    }

    pub(in crate::percpu) fn load(&self) -> u64 {
        self.0.with(|value| *value)
    }

    pub(in crate::percpu) fn add(&self, count: u64) {
        self.0.with(|value| *value = value.wrapping_add(count));
    }

    pub(in crate::percpu) fn raise(&self, value: u64) {
        self.0.with(|highest| *highest = value.max(*highest));
    }

    pub(in crate::percpu) fn take(&self) -> u64 {
        self.0.with(core::mem::take)
    }

    /// Replaces the value if it is `old`.
    pub(in crate::percpu) fn replace(&self, old: u64, new: u64) -> bool {
        self.0.with(|value| {
            let is_old = *value == old;
            if is_old {
                *value = new;
            }
            is_old
        })
    }
}
