//! The sizes of a region's memory.

use super::geometry::{Geometry, size_of_copies};
use super::item_size::Size;
use super::options::RegionOptions;
use crate::percpu::memory;
use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

/// The stride and the number of copies of a [`DynRegion`](super::DynRegion), and the size of its items.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::RegionShape;
/// use std::alloc::Layout;
///
/// const GLOBAL: RegionShape = RegionShape::new(1 << 16, 1, Layout::new::<u64>()).unwrap();
///
/// assert_eq!(GLOBAL.copies(), 1);
/// assert!(RegionShape::new(5000, 1, Layout::new::<u64>()).is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RegionShape {
    pub(super) stride: usize,
    /// 0 for one for each CPU number that the kernel can give.
    copies: usize,
    pub(super) size: Size,
}

impl RegionShape {
    /// Items have `copies` copies, `stride` bytes apart; with 0 copies, as many as there are CPU numbers that the
    /// kernel can assign.
    ///
    /// None if the stride is not a power of two from 4096 on, or takes a sixteenth of all addresses or more; if an item
    /// is larger than the stride; or if the copies take a quarter of all addresses or more. The number of copies that 0
    /// stands for is found at run time, so where these take a quarter or more, it is allocation that fails, with
    /// [`RegionError::NoMemory`](super::RegionError::NoMemory) and ENOMEM.
    pub const fn new(stride: usize, copies: usize, layout: Layout) -> Option<Self> {
        let fits = size_of_copies(stride, copies).is_some();
        match Size::of(layout, stride) {
            Some(size) if stride.is_power_of_two() && stride >= 4096 && fits => Some(Self { stride, copies, size }),
            _ => None,
        }
    }

    /// The shape of a [`Region`](super::Region), whose items have any size.
    pub(super) const fn of_region(stride: usize) -> Self {
        const ANY: Size = Size { layout: Layout::new::<()>(), class: 0, most: 0 };
        Self { stride, copies: 0, size: ANY }
    }

    /// The layout of items.
    pub const fn layout(self) -> Layout {
        self.size.layout
    }

    /// Bytes between an item's copies.
    pub const fn stride(self) -> usize {
        self.stride
    }

    /// Copies of an item.
    pub fn copies(self) -> usize {
        if self.copies == 0 { memory::slot_count() } else { self.copies }
    }

    /// Bytes that a range takes of the program's memory; see [`RegionOptions::memory`]. The memory must have as many
    /// bytes after the first multiple of the stride. [`usize::MAX`] if the copies take a quarter of all addresses or
    /// more, in which case there is no range.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::ptr::NonNull;
    /// use rseq_core::percpu::{DynRegion, RegionOptions, RegionShape};
    /// use std::alloc::{Layout, alloc, dealloc};
    ///
    /// let shape = RegionShape::new(4096, 2, Layout::new::<u64>()).expect("a power of two");
    /// let memory = Layout::from_size_align(shape.range_size(), shape.stride())?;
    /// // SAFETY: the size is not 0.
    /// let start = NonNull::new(unsafe { alloc(memory) }).ok_or("no memory")?;
    /// {
    ///     // SAFETY: the memory is the region's until it is freed below, after the region is dropped.
    ///     let region = DynRegion::new(shape, unsafe { RegionOptions::new().memory(start, memory.size()) });
    ///     let item = region.alloc_zeroed()?;
    ///     assert!(item >= start);
    /// }
    /// // SAFETY: it was allocated with this layout.
    /// unsafe { dealloc(start.as_ptr(), memory) };
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn range_size(self) -> usize {
        range_size(self.stride, self.copies())
    }
}

fn range_size(stride: usize, copies: usize) -> usize {
    // SAFETY: no region is created with these options, so that the memory, of 0 bytes, is not accessed.
    let given = unsafe { RegionOptions::new().memory(NonNull::dangling(), 0) };
    let geometry = Geometry::new(&given, stride, copies);
    if geometry.can_be() { geometry.size() } else { usize::MAX }
}

impl fmt::Debug for RegionShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegionShape")
            .field("layout", &self.layout())
            .field("stride", &self.stride())
            .field("copies", &self.copies())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_range_does_not_wrap_around() {
        assert_eq!(range_size(4096, 2), 4 * 4096);
        // Copies for 64 CPUs have as many bytes as there are addresses, which wraps to 0.
        let stride = 1 << (usize::BITS - 6);
        assert_eq!([16, 64, 65, 256].map(|copies| range_size(stride, copies)), [usize::MAX; 4]);
    }
}
