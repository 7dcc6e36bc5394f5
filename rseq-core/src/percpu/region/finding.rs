//! The errors that robust regions report.

use core::fmt;

/// An error in how items are used, found by a region with [`RegionOptions::robust`](super::RegionOptions::robust).
/// Items are identified by their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// An item was freed that was already free.
    DoubleFree {
        /// The item.
        item: usize,
    },
    /// An address was freed that is not an item of this region.
    Foreign {
        /// The address.
        address: usize,
    },
    /// An item was freed with another size than that of its allocation.
    WrongLayout {
        /// The item, which stays allocated.
        item: usize,
        /// The size of its allocation, in bytes.
        size: usize,
        /// The size that it was freed with, in bytes.
        freed_as: usize,
    },
    /// Bytes after an item's end were written. This is found when the item is freed; it is not allocated again.
    Overrun {
        /// The item.
        item: usize,
        /// The CPU whose copy was written.
        cpu: usize,
    },
    /// An item was written after it was freed. This is found when the item would be allocated again, or when the region
    /// is dropped. The item is not allocated again.
    WriteAfterFree {
        /// The item.
        item: usize,
        /// The CPU whose copy was written; the number of copies, if it was the template of a region that is
        /// [copied on write](super::RegionOptions::copy_on_write).
        cpu: usize,
    },
    /// A list of free items was overwritten. This is found when an item would be allocated, or when the region is
    /// dropped. The items on the list are not allocated again.
    CorruptList {
        /// The address on the list that is not a free item.
        item: usize,
    },
    /// An item was still allocated when the region was dropped.
    Leak {
        /// The item. Its address is no longer mapped after the drop.
        item: usize,
        /// The size of its allocation, in bytes.
        size: usize,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleFree { item } => write!(f, "item {item:#x} was freed twice"),
            Self::Foreign { address } => write!(f, "{address:#x} was freed, and is not an item of this region"),
            Self::WrongLayout { item, size, freed_as } => {
                write!(f, "item {item:#x} of {size} bytes was freed as one of {freed_as} bytes")
            }
            Self::Overrun { item, cpu } => {
                write!(f, "item {item:#x} was written beyond its end, in the copy of CPU {cpu}")
            }
            Self::WriteAfterFree { item, cpu } => {
                write!(f, "item {item:#x} was written after it was freed, in the copy of CPU {cpu}")
            }
            Self::CorruptList { item } => {
                write!(f, "a list of free items was overwritten: {item:#x} is not a free item")
            }
            Self::Leak { item, size } => write!(f, "item {item:#x} of {size} bytes was not freed"),
        }
    }
}
