//! Why a region did not allocate an item.

use crate::sys::Errno;
use core::fmt;

/// Why a [`Region`](super::Region) did not allocate an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionError {
    /// The item, or its alignment, is larger than the region's stride.
    TooLarge,
    /// No range has room, and the kernel has no memory for another one: ENOMEM, or the error of a filter. ENOMEM also
    /// if the copies for all CPU numbers of this machine would take a quarter of all addresses or more. ENOSPC if the
    /// program's own memory is used up, or if there are as many ranges as the program allows.
    NoMemory(Errno),
    /// The copies' own mappings were refused. If the region is shared or copied on write, the stride is less than a
    /// page (EINVAL), or the process has too many mappings (ENOMEM, `vm.max_map_count`).
    NotMapped(Errno),
    /// A range could not be bound to the CPUs' nodes: sysfs does not show them, the stride is less than a page
    /// (EINVAL), or the process may not use a node (EINVAL, EPERM).
    NotBound(Errno),
    /// The program's function that initialises ranges
    /// ([`RegionOptions::init_ranges`](super::RegionOptions::init_ranges)) failed.
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
