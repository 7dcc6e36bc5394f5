//! The sizes that a region's memory goes by.

use crate::percpu::memory;

/// The stride and the number of copies of a [`DynRegion`](super::DynRegion).
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::RegionShape;
///
/// const GLOBAL: RegionShape = RegionShape::new(1 << 16, 1).unwrap();
///
/// assert_eq!(GLOBAL.copies(), 1);
/// assert!(RegionShape::new(5000, 1).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionShape {
    pub(super) stride: usize,
    /// 0 for one for each CPU number that the kernel can give.
    copies: usize,
}

impl RegionShape {
    /// Items have `copies` copies, `stride` bytes apart; with 0 copies, as many as there are CPU numbers that the kernel can
    /// give.
    ///
    /// None if the stride is not a power of two from 4096 on, or if the copies take a quarter of all addresses or more.
    pub const fn new(stride: usize, copies: usize) -> Option<Self> {
        const MOST: usize = 1 << (usize::BITS - 2);
        let fits = match stride.checked_mul(copies) {
            Some(bytes) => bytes < MOST && stride < MOST / 4,
            None => false,
        };
        if stride.is_power_of_two() && stride >= 4096 && fits { Some(Self { stride, copies }) } else { None }
    }

    /// Of a [`Region`](super::Region).
    pub(super) const fn of_region(stride: usize) -> Self {
        Self { stride, copies: 0 }
    }

    /// Bytes between an item's copies.
    pub const fn stride(self) -> usize {
        self.stride
    }

    /// Copies of an item.
    pub fn copies(self) -> usize {
        if self.copies == 0 { memory::slot_count() } else { self.copies }
    }
}
