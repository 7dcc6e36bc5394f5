//! Per-CPU memory: items at the same offset in the copy of each CPU.

mod arena;
mod cpu_stacks;
mod dynamic;
#[cfg(all(test, not(miri), not(rseq_stub)))]
mod dynamic_tests;
mod error;
mod finding;
mod free_items;
mod geometry;
mod init;
mod item_size;
mod locked;
mod numa;
mod options;
mod range;
mod robust;
mod shape;
#[cfg(all(test, not(miri), not(rseq_stub)))]
mod tests;

use super::memory;
use arena::Arena;
use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;
pub use dynamic::DynRegion;
pub use error::RegionError;
pub use finding::Finding;
use geometry::size_of_copies;
use item_size::Size;
pub use numa::move_to_node_of;
pub use options::RegionOptions;
pub use shape::RegionShape;

/// Memory with a copy for each CPU, `STRIDE` bytes apart: 64 KiB, or another power of two from 4096 on, below a
/// sixteenth of all addresses.
///
/// An item is at the same offset in each copy. Its address is that of CPU 0's copy; for another CPU, add the CPU's
/// number times `STRIDE`, as [`copy_of`](Self::copy_of) does. An item has [`copies`](Self::copies) copies, one for each
/// CPU number that the kernel can assign.
///
/// Memory comes in ranges, which are mapped when items do not fit in the present ones. Only pages that are touched take
/// memory, from the node of the CPU that touches them first. Dropping a region unmaps its ranges.
///
/// # Speed
///
/// Each CPU has a stack of freed items for each size up to 32 KiB, on which sections push and pop:
/// [`alloc`](Self::alloc) and [`free`](Self::free) neither lock nor write shared memory, except to exchange up to 63
/// items at a time with lists that all CPUs share. Larger items, and threads that are not registered, use those lists.
/// When memory runs out, the region first takes the items on the stacks of other CPUs (Linux 5.10).
///
/// Sizes are rounded up to powers of two, and addresses are multiples of the rounded size.
///
/// # Signals and processes
///
/// Signal handlers may allocate and free items in threads that have called
/// [`ensure_registered`](crate::ensure_registered). A child of `fork` continues with its copy of the region, even if
/// another thread held the lock at the fork: the operation of that thread may have cost the child up to 64 items
/// (before Linux 4.14, the child may have to wait forever).
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::Region;
/// use std::alloc::Layout;
///
/// static REGION: Region = Region::new();
///
/// let layout = Layout::new::<u64>();
/// let item = REGION.alloc_zeroed(layout)?;
/// let copies = (0..REGION.copies()).map(|cpu| REGION.copy_of(item, cpu).cast::<u64>());
/// // SAFETY: each is a u64 of the item, which is only used here.
/// assert!(copies.into_iter().all(|copy| unsafe { copy.read() } == 0));
/// // SAFETY: it was allocated above, and is not used any more.
/// unsafe { REGION.free(item, layout) };
/// # Ok::<(), rseq_core::percpu::RegionError>(())
/// ```
///
/// Sections find this CPU's copy by the item's address, the number of copies and the stride, so that
/// [`this_cpu`](crate::ops::this_cpu)'s operations work on items:
///
/// ```
/// use rseq_core::ops::this_cpu;
/// use rseq_core::percpu::Region;
/// use rseq_core::{Ambient, ensure_registered};
/// use std::alloc::Layout;
///
/// static REGION: Region = Region::new();
///
/// let layout = Layout::new::<usize>();
/// let count = REGION.alloc_zeroed(layout)?;
/// if ensure_registered().is_ok() {
///     // SAFETY: the copies are `copies` words, 64 KiB apart, and written by sections by CPU only.
///     unsafe { this_cpu::inc::<{ 1 << 16 }, _, _>(Ambient::token(), count.cast().as_ptr(), REGION.copies()) }?;
///     let copies = (0..REGION.copies()).map(|cpu| REGION.copy_of(count, cpu).cast::<usize>());
///     // SAFETY: each is a word of the item, which no other thread uses.
///     assert_eq!(copies.map(|copy| unsafe { copy.read() }).sum::<usize>(), 1);
/// }
/// // SAFETY: it was allocated above, and is not used any more.
/// unsafe { REGION.free(count, layout) };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Design
///
/// There are no static items in a linker section. A type that makes its item at its first use, as
/// [`Counter`](super::Counter) does, is declared with the same one line, works in shared objects that are loaded and
/// unloaded, and needs neither a linker script nor an `#[unsafe(link_section)]`. A linker section would save one load,
/// of the item's address, which is usually in the cache.
pub struct Region<const STRIDE: usize = { 1 << 16 }> {
    arena: Arena,
}

impl<const STRIDE: usize> Region<STRIDE> {
    const SHAPE: RegionShape = RegionShape::of_region(STRIDE);

    /// A region without memory. It maps some when items are allocated.
    pub const fn new() -> Self {
        Self::with(RegionOptions::new())
    }

    /// A region with options.
    pub const fn with(options: RegionOptions) -> Self {
        const { assert!(STRIDE.is_power_of_two() && STRIDE >= 4096, "a stride is a power of two from 4096 on") };
        const { assert!(size_of_copies(STRIDE, 1).is_some(), "a stride is below a sixteenth of all addresses") };
        Self { arena: Arena::new(options) }
    }

    /// How many copies an item has: one for each CPU number from 0 on that the kernel can assign.
    pub fn copies(&self) -> usize {
        memory::slot_count()
    }

    /// Bytes that a range takes of the program's memory; see [`RegionOptions::memory`]. The memory must have as many
    /// bytes after the first multiple of `STRIDE`. [`usize::MAX`] if the copies take a quarter of all addresses or
    /// more, in which case there is no range.
    pub fn range_size() -> usize {
        Self::SHAPE.range_size()
    }

    /// The copy for a CPU. This is pointer arithmetic only, and does not check that `cpu` is below
    /// [`copies`](Self::copies) or that `item` is an item.
    #[inline]
    pub fn copy_of(&self, item: NonNull<u8>, cpu: usize) -> NonNull<u8> {
        let copy = item.as_ptr().wrapping_byte_add(cpu.wrapping_mul(STRIDE));
        NonNull::new(copy).unwrap_or(item)
    }

    /// Whether an address lies in memory that the region's ranges have for copies of items.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::percpu::Region;
    /// use std::alloc::Layout;
    ///
    /// let region: Region = Region::new();
    /// let item = region.alloc(Layout::new::<u64>())?;
    /// assert!(region.contains(item.addr().get()) && !region.contains(&raw const region as usize));
    /// # Ok::<(), rseq_core::percpu::RegionError>(())
    /// ```
    pub fn contains(&self, address: usize) -> bool {
        self.arena.contains(address, Self::SHAPE)
    }

    /// Allocates an item. The contents of its copies are unspecified, and may be those of a freed item.
    ///
    /// # Errors
    ///
    /// [`RegionError`].
    #[inline]
    pub fn alloc(&self, layout: Layout) -> Result<NonNull<u8>, RegionError> {
        self.arena.alloc(item_size(layout, STRIDE)?, &Self::SHAPE)
    }

    /// Allocates an item of zeroes. Copies that are known to be zero are not written.
    ///
    /// # Errors
    ///
    /// [`RegionError`].
    pub fn alloc_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, RegionError> {
        self.arena.alloc_zeroed(item_size(layout, STRIDE)?, Self::SHAPE)
    }

    /// Allocates an item whose copies begin with `value`, followed by zeroes. Copies that are known to have these
    /// contents are not written; with [`RegionOptions::copy_on_write`] these are all copies whose page no CPU has
    /// written.
    ///
    /// # Errors
    ///
    /// [`RegionError`]; [`RegionError::TooLarge`] if `value` is longer than the layout.
    pub fn alloc_copied(&self, layout: Layout, value: &[u8]) -> Result<NonNull<u8>, RegionError> {
        self.arena.alloc_copied(item_size(layout, STRIDE)?, value, Self::SHAPE)
    }

    /// Allocates an item, and calls `init` with each CPU number below [`copies`](Self::copies) and that CPU's copy,
    /// which has the layout's size. Its contents are unspecified at first, as with [`alloc`](Self::alloc).
    ///
    /// # Errors
    ///
    /// [`RegionError`].
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::percpu::Region;
    /// use std::alloc::Layout;
    ///
    /// let region: Region = Region::new();
    /// // SAFETY: the copy is one of a u64, which is not used elsewhere yet.
    /// let init = |cpu, copy: std::ptr::NonNull<u8>| unsafe { copy.cast::<u64>().write(cpu as u64) };
    /// let item = region.alloc_init(Layout::new::<u64>(), init)?;
    /// # Ok::<(), rseq_core::percpu::RegionError>(())
    /// ```
    pub fn alloc_init(
        &self,
        layout: Layout,
        mut init: impl FnMut(usize, NonNull<u8>),
    ) -> Result<NonNull<u8>, RegionError> {
        let item = self.alloc(layout)?;
        self.arena.geometry(Self::SHAPE).copies_of(item).enumerate().for_each(|(cpu, copy)| init(cpu, copy));
        Ok(item)
    }

    /// Frees an item.
    ///
    /// # Safety
    ///
    /// This region allocated the item for a layout of the same size and alignment, and the item is no longer used.
    #[inline]
    pub unsafe fn free(&self, item: NonNull<u8>, layout: Layout) {
        match Size::of(layout, STRIDE) {
            // SAFETY: the caller's contract.
            Some(size) => unsafe { self.arena.free(item, size, &Self::SHAPE) },
            None => self.arena.report(Finding::Foreign { address: item.as_ptr().expose_provenance() }),
        }
    }
}

#[inline]
fn item_size(layout: Layout, stride: usize) -> Result<Size, RegionError> {
    Size::of(layout, stride).ok_or(RegionError::TooLarge)
}

impl<const STRIDE: usize> Drop for Region<STRIDE> {
    fn drop(&mut self) {
        // SAFETY: this region has only one shape. `&mut self` shows that no operation is running, and with the region
        // its items end.
        unsafe { self.arena.clear(Self::SHAPE) };
    }
}

impl<const STRIDE: usize> Default for Region<STRIDE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const STRIDE: usize> fmt::Debug for Region<STRIDE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.arena.options;
        f.debug_struct("Region").field("stride", &STRIDE).field("options", options).finish_non_exhaustive()
    }
}
