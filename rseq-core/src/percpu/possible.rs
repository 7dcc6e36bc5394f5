//! How many CPUs there can be.

use super::cpu_list::{CpuRanges, ParseError};
use super::cpu_set::CpuSet;
use crate::index::{ByCpu, Index};
use crate::sys::{self, Errno};
use core::fmt;

/// The possible CPUs of this machine: online ones, and those that may come online later.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PossibleCpus {
    highest: u32,
    count: u32,
    /// The possible CPUs below the set's limit.
    set: CpuSet,
}

impl PossibleCpus {
    /// Reads `/sys/devices/system/cpu/possible`. Without sysfs, or where the list is longer than 4095 bytes, the size
    /// of the kernel's affinity masks is an upper bound.
    ///
    /// # Errors
    ///
    /// The kernel's, if it gives neither.
    pub fn read() -> Result<Self, Errno> {
        let mut text = [0; 4096];
        let list = sys::read_file(c"/sys/devices/system/cpu/possible", &mut text).ok();
        list.and_then(Self::of_whole_list).map_or_else(Self::bound, Ok)
    }

    /// Parses a list that the kernel wrote; None where it was cut: the kernel writes a page at most, and ends a whole
    /// list with a newline.
    fn of_whole_list(list: &[u8]) -> Option<Self> {
        Self::parse(list.strip_suffix(b"\n")?).ok()
    }

    /// The upper bound that `sched_getaffinity` gives: eight CPUs for each byte of its mask.
    fn bound() -> Result<Self, Errno> {
        Self::of_mask(sys::affinity_mask_size()?)
    }

    /// The CPUs of a mask of so many bytes. A filter may answer the call with any number, such as 0.
    fn of_mask(bytes: usize) -> Result<Self, Errno> {
        const MOST: usize = 8192;
        let count = 8 * bytes.min(MOST) as u32;
        let highest = count.checked_sub(1).ok_or(Errno::ENOSYS)?;
        let mut set = CpuSet::empty();
        set.insert(0..=highest);
        Ok(Self { highest, count, set })
    }

    /// Parses a list such as `0,2-5`, in ascending order, with or without a newline.
    ///
    /// # Errors
    ///
    /// [`ParseError`].
    pub fn parse(list: &[u8]) -> Result<Self, ParseError> {
        let (mut slots, mut count, mut set) = (0, 0, CpuSet::empty());
        for range in CpuRanges::of(list) {
            let (first, last) = range?.into_inner();
            set.insert(first..=last);
            (slots, count) = (last + 1, count + last - first + 1);
        }
        let highest = slots.checked_sub(1).ok_or(ParseError)?;
        Ok(Self { highest, count, set })
    }

    /// Slots that storage by CPU needs: CPU numbers may have gaps.
    pub const fn slots_by_cpu(&self) -> usize {
        self.highest as usize + 1
    }

    /// Slots that storage by concurrency ID needs.
    pub const fn slots_by_mm_cid(&self) -> usize {
        self.count as usize
    }

    /// How many CPUs are possible.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The highest possible CPU number.
    pub const fn highest(&self) -> u32 {
        self.highest
    }

    /// Whether the CPU is possible. From 8192 on, which no mainline kernel can be built for, every number up to the
    /// highest counts as possible.
    pub fn contains(&self, cpu: u32) -> bool {
        cpu <= self.highest && (cpu >= CpuSet::LIMIT || self.set.contains(cpu))
    }

    /// The possible CPUs, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + Clone + '_ {
        (0..=self.highest).filter(|&cpu| self.contains(cpu))
    }

    /// Slots that storage by `K` needs: [`slots_by_cpu`](Self::slots_by_cpu) or
    /// [`slots_by_mm_cid`](Self::slots_by_mm_cid).
    pub const fn slots<K: Index>(&self) -> usize {
        if K::OFFSET == ByCpu::OFFSET { self.slots_by_cpu() } else { self.slots_by_mm_cid() }
    }

    /// The indices that a thread can have by `K`: the possible CPUs, or the numbers below [`count`](Self::count).
    pub fn indices<K: Index>(&self) -> impl Iterator<Item = u32> + Clone + '_ {
        (0..self.slots::<K>() as u32).filter(|&index| K::OFFSET != ByCpu::OFFSET || self.contains(index))
    }
}

impl fmt::Debug for PossibleCpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PossibleCpus")
            .field("highest", &self.highest)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(list: &str) -> Option<(u32, u32)> {
        PossibleCpus::parse(list.as_bytes()).ok().map(|cpus| (cpus.highest, cpus.count))
    }

    #[test]
    fn lists_of_real_machines() {
        assert_eq!(parsed("0\n"), Some((0, 1)));
        assert_eq!(parsed("0-1\n"), Some((1, 2)));
        assert_eq!(parsed("0,2-5\n"), Some((5, 5)));
        assert_eq!(parsed("0-3,8-11,64"), Some((64, 9)));
        assert_eq!(parsed("0-8191\n"), Some((8191, 8192)));
        assert_eq!(parsed("0-1048576"), Some((1 << 20, (1 << 20) + 1)));
    }

    #[test]
    fn slots_by_cpu_have_gaps_and_those_by_mm_cid_have_none() {
        let cpus = PossibleCpus::parse(b"0,2-5,9").unwrap();
        assert_eq!((cpus.slots_by_cpu(), cpus.slots_by_mm_cid()), (10, 6));
    }

    #[test]
    fn gaps_are_not_possible() {
        let cpus = PossibleCpus::parse(b"0,2-5,9").unwrap();
        assert!(cpus.iter().eq([0, 2, 3, 4, 5, 9]));
        assert!(cpus.indices::<ByCpu>().eq(cpus.iter()));
        assert!(cpus.indices::<crate::ByMmCid>().eq(0..6));
        assert!(!cpus.contains(1) && !cpus.contains(10) && !cpus.contains(u32::MAX));
        assert_eq!((cpus.slots::<ByCpu>(), cpus.slots::<crate::ByMmCid>()), (10, 6));
    }

    #[test]
    fn hostile_lists() {
        for list in [
            "",
            "\n",
            ",",
            "0,",
            "-",
            "1-",
            "-1",
            "3-1",
            "2,1",
            "1,1",
            "0-4294967295",
            "99999999999",
            "0 1",
            "a",
            "1048577",
            "4294967296",
            "42949672960",
        ] {
            assert_eq!(parsed(list), None, "{list:?}");
        }
    }

    #[test]
    fn a_list_that_was_cut_is_no_list() {
        let whole = PossibleCpus::of_whole_list;
        assert_eq!(whole(b"0,2-5\n").map(|cpus| cpus.count), Some(5));
        for cut in [&b"0,2-5"[..], b"0,2-", b"0,2", b"0,", b""] {
            assert_eq!(whole(cut), None, "{cut:?}");
        }
    }

    #[test]
    fn a_mask_of_any_size_is_a_number_of_cpus_or_an_error() {
        let of_mask = |bytes| PossibleCpus::of_mask(bytes).map(|cpus| (cpus.highest, cpus.slots_by_cpu()));
        assert_eq!((of_mask(0), of_mask(8)), (Err(Errno::ENOSYS), Ok((63, 64))));
        for bytes in [8192, 8193, 1 << 29, usize::MAX] {
            assert_eq!(of_mask(bytes), Ok((65_535, 65_536)), "{bytes} bytes");
        }
    }

    #[test]
    fn this_machine_has_a_cpu() {
        let cpus = PossibleCpus::read().unwrap();
        assert!(cpus.count() >= 1 && cpus.highest() + 1 >= cpus.count());
        // The kernel's masks are whole words.
        let bound = PossibleCpus::bound().unwrap();
        assert!(bound.highest >= cpus.highest && bound.count.is_multiple_of(usize::BITS), "{bound:?}");
    }
}
