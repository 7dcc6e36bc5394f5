//! Why a region has no item to give.

use crate::sys::Errno;
use core::fmt;

/// Why a [`Region`](super::Region) did not allocate an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionError {
    /// The item, or its alignment, is larger than the region's stride.
    TooLarge,
    /// No range has room, and the kernel gave no memory for one more: ENOMEM, or what a filter answers. The memory that
    /// the program gave is used up, or there are as many ranges as it allows: ENOSPC.
    NoMemory(Errno),
    /// The copies' own mappings were refused: of a region that is shared or copied on write, the stride is less than a
    /// page (EINVAL), or there are more mappings than a process may have (ENOMEM, `vm.max_map_count`).
    NotMapped(Errno),
    /// A range could not be bound to the CPUs' nodes: they are not known, as sysfs is not to be had, the stride is less
    /// than a page (EINVAL), or the process may not use a node (EINVAL, EPERM).
    NotBound(Errno),
    /// What the program initialises ranges by ([`RegionOptions::init_ranges`](super::RegionOptions::init_ranges))
    /// failed.
    NotInitialized(Errno),
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("the item is larger than the region's stride"),
            Self::NoMemory(errno) => write!(f, "no memory for per-CPU items: {errno}"),
            Self::NotMapped(errno) => write!(f, "the copies of a range could not be mapped: {errno}"),
            Self::NotBound(errno) => write!(f, "a range could not be bound to the NUMA nodes of the CPUs: {errno}"),
            Self::NotInitialized(errno) => write!(f, "a range could not be initialised: {errno}"),
        }
    }
}

impl core::error::Error for RegionError {}
