//! A set of CPU numbers.

use core::ops::RangeInclusive;

/// CPU numbers below [`LIMIT`](Self::LIMIT).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct CpuSet([u64; Self::LIMIT as usize / 64]);

impl CpuSet {
    /// The most CPUs that a mainline kernel can be built for (`CONFIG_NR_CPUS` on x86 and powerpc).
    pub(super) const LIMIT: u32 = 8192;

    pub(super) const fn empty() -> Self {
        Self([0; Self::LIMIT as usize / 64])
    }

    /// Adds the numbers of `cpus` that are below the limit.
    pub(super) fn insert(&mut self, cpus: RangeInclusive<u32>) {
        for cpu in *cpus.start()..cpus.end().saturating_add(1).min(Self::LIMIT) {
            if let Some(bits) = self.0.get_mut(cpu as usize / 64) {
                *bits |= 1 << (cpu % 64);
            }
        }
    }

    pub(super) fn contains(&self, cpu: u32) -> bool {
        self.0.get(cpu as usize / 64).is_some_and(|bits| bits >> (cpu % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_inserted() {
        let mut set = CpuSet::empty();
        set.insert(0..=0);
        set.insert(62..=65);
        set.insert(8190..=u32::MAX);
        let held = |cpu| [0, 62, 63, 64, 65, 8190, 8191].contains(&cpu);
        assert!((0..20_000).all(|cpu| set.contains(cpu) == held(cpu)));
        assert!(!set.contains(u32::MAX));
    }
}
