//! CPUs: which exist, and where a thread may run.

use core::ffi::CStr;

use linux_raw_sys::general as raw;
use rseq_core::percpu::CpuRanges;
use rseq_core::sys::Errno;

use super::call;
use super::file::File;

/// The highest CPU number that a [`Set`] can hold, plus one.
pub const LIMIT: usize = 8192;
const WORD: usize = usize::BITS as usize;

/// A set of CPU numbers, in the kernel's layout.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Set([usize; LIMIT / WORD]);

impl Set {
    /// No CPU.
    pub const fn empty() -> Self {
        Self([0; LIMIT / WORD])
    }

    /// Just `cpu`.
    pub fn only(cpu: u32) -> Self {
        let mut set = Self::empty();
        set.insert(cpu);
        set
    }

    /// Adds `cpu`, unless it is beyond [`LIMIT`].
    pub fn insert(&mut self, cpu: u32) {
        if let Some(word) = self.0.get_mut(cpu as usize / WORD) {
            *word |= 1 << (cpu as usize % WORD);
        }
    }

    /// Whether `cpu` is in the set.
    pub fn contains(&self, cpu: u32) -> bool {
        self.0.get(cpu as usize / WORD).is_some_and(|word| word & (1 << (cpu as usize % WORD)) != 0)
    }

    /// The numbers in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..LIMIT as u32).filter(|cpu| self.contains(*cpu))
    }

    /// How many CPUs are in the set.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The first CPU after `cpu`, going round.
    pub fn after(&self, cpu: u32) -> Option<u32> {
        self.iter().find(|next| *next > cpu).or_else(|| self.iter().next())
    }
}

/// The CPUs that the thread `tid` may run on; 0 is the caller. Second, the bytes of the kernel's own mask.
pub fn affinity_and_width(tid: u32) -> Result<(Set, usize), Errno> {
    let mut set = Set::empty();
    let args = [tid as usize, size_of::<Set>(), set.0.as_mut_ptr() as usize];
    // SAFETY: the kernel writes at most `size_of::<Set>()` bytes at the set.
    let width = unsafe { call(raw::__NR_sched_getaffinity, args) }?;
    Ok((set, width))
}

/// The CPUs that the thread `tid` may run on; 0 is the caller.
pub fn affinity(tid: u32) -> Result<Set, Errno> {
    affinity_and_width(tid).map(|(set, _)| set)
}

/// Restricts the thread `tid` to `set`; 0 is the caller. On return it runs there.
pub fn set_affinity(tid: u32, set: &Set) -> Result<(), Errno> {
    let args = [tid as usize, size_of::<Set>(), set.0.as_ptr() as usize];
    // SAFETY: the kernel reads `size_of::<Set>()` bytes of the set.
    unsafe { call(raw::__NR_sched_setaffinity, args) }.map(|_| ())
}

/// The CPUs that one of the kernel's files lists, such as `/sys/devices/system/cpu/online`.
///
/// # Errors
///
/// The file's; EINVAL if it is not a list, or only a part of one: a whole one ends with a newline.
pub fn listed(path: &CStr) -> Result<Set, Errno> {
    let mut text = [0; 4096];
    let file = File::open(path)?;
    let mut set = Set::empty();
    let list = file.read(&mut text)?.strip_suffix(b"\n").ok_or(Errno::EINVAL)?;
    for range in CpuRanges::of(list) {
        range.map_err(|_| Errno::EINVAL)?.for_each(|cpu| set.insert(cpu));
    }
    Ok(set)
}

/// A number of slots that is always large enough: 8 times the bytes of the kernel's CPU mask.
pub fn slots_by_mask() -> Result<u32, Errno> {
    affinity_and_width(0).map(|(_, width)| 8 * width as u32)
}
