//! Per-CPU memory: items at the same offset in the copy of each CPU.

mod class;
mod error;
mod geometry;
mod init;
mod lists;
mod numa;
mod options;
mod range;
mod robust;
mod slow;
mod stacks;
#[cfg(all(test, not(miri), not(rseq_stub)))]
mod tests;

use super::lock::SpinLock;
use super::memory;
use class::class;
use core::alloc::Layout;
use core::fmt;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
pub use error::RegionError;
use geometry::{Geometry, TAGS};
use lists::Lists;
pub use options::RegionOptions;
pub use robust::Finding;
use stacks::Stacks;

/// Memory that has a copy for each CPU, `STRIDE` bytes apart: 64 KiB, or another power of two from 4096 on.
///
/// An item is at the same offset in each copy. Its address is that of CPU 0's copy; on another CPU it is that address
/// plus the CPU's number times `STRIDE`, as [`copy_of`](Self::copy_of) computes. An item has [`copies`](Self::copies)
/// copies, one for each CPU number that the kernel can give.
///
/// Memory comes in ranges, which are mapped when items do not fit in those that there are. Only a copy's pages that are
/// touched take memory, and from the node of the CPU that touches them first. A region that is dropped unmaps its ranges.
///
/// # Speed
///
/// Freed items are kept on a stack for each CPU and size, which sections push on and pop from: [`alloc`](Self::alloc) and
/// [`free`](Self::free) neither lock nor write shared memory, except to exchange up to 63 items at a time with lists that
/// all CPUs share. Threads that are not registered work on those lists. When memory runs out, what the stacks of other
/// CPUs hold is used first (Linux 5.10).
///
/// Sizes are rounded up to powers of two, and addresses are multiples of the rounded size.
///
/// # Signals and processes
///
/// Signal handlers may allocate and free items, in threads that [`ensure_registered`](crate::ensure_registered) was called
/// in. A child of `fork` goes on with its copy of the region, even if another thread held the lock at the fork: such an
/// operation may have cost the child up to 64 items (before Linux 4.14 it may have to wait for ever).
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
/// // SAFETY: each is a u64 of the item, which nobody else has.
/// assert!(copies.into_iter().all(|copy| unsafe { copy.read() } == 0));
/// // SAFETY: it was allocated above, and is not used any more.
/// unsafe { REGION.free(item, layout) };
/// # Ok::<(), rseq_core::percpu::RegionError>(())
/// ```
///
/// # Design
///
/// There are no static items in a linker section: a type that makes its item when it is first used
/// ([`Counter`](super::Counter) does) is declared with the same one line, works in shared objects that are loaded and
/// unloaded, and needs neither a linker script nor an `#[unsafe(link_section)]`. A section would save the load of the
/// item's address, which the processor caches.
pub struct Region<const STRIDE: usize = { 1 << 16 }> {
    /// The stacks of all CPUs; null before the first use, and where there are none.
    stacks: AtomicPtr<u8>,
    lists: SpinLock<Lists>,
    options: RegionOptions,
}

impl<const STRIDE: usize> Region<STRIDE> {
    /// A region without memory, which it maps when items are allocated.
    pub const fn new() -> Self {
        Self::with(RegionOptions::new())
    }

    /// The same with options.
    pub const fn with(options: RegionOptions) -> Self {
        const { assert!(STRIDE.is_power_of_two() && STRIDE >= 4096) };
        Self { stacks: AtomicPtr::new(ptr::null_mut()), lists: SpinLock::new(Lists::new()), options }
    }

    /// Copies of an item: one for each CPU number from 0 on that the kernel can give.
    pub fn copies(&self) -> usize {
        memory::slot_count()
    }

    /// Bytes of the program's memory that a range takes; see [`RegionOptions::memory`]. The memory must have as many after
    /// the first multiple of `STRIDE`.
    pub fn range_size() -> usize {
        // SAFETY: no memory is used.
        let given = unsafe { RegionOptions::new().memory(NonNull::dangling(), 0) };
        Geometry::new(&given, STRIDE, memory::slot_count()).size()
    }

    /// The copy of a CPU. Only pointer arithmetic: whether `cpu` is below [`copies`](Self::copies) and `item` an item is
    /// for whoever uses the result.
    #[inline]
    pub fn copy_of(&self, item: NonNull<u8>, cpu: usize) -> NonNull<u8> {
        let copy = item.as_ptr().wrapping_byte_add(cpu.wrapping_mul(STRIDE));
        NonNull::new(copy).unwrap_or(item)
    }

    /// Allocates an item. What its copies hold is not specified; it may be what a freed item held.
    ///
    /// # Errors
    ///
    /// [`RegionError`].
    #[inline]
    pub fn alloc(&self, layout: Layout) -> Result<NonNull<u8>, RegionError> {
        self.take(layout).map(|(item, _)| item)
    }

    /// Frees an item.
    ///
    /// # Safety
    ///
    /// It is one that this region allocated for a layout of the same size and alignment, and it is not used any more.
    #[inline]
    pub unsafe fn free(&self, item: NonNull<u8>, layout: Layout) {
        let class = class(layout, STRIDE);
        let is_pushed = class.and_then(|class| {
            let stacks = self.stacks(class)?;
            stacks.push(item.as_ptr().expose_provenance(), stacks::most(class, STRIDE)).ok()
        });
        if is_pushed.is_none() {
            self.release(item, layout);
        }
    }

    /// An item, and whether all its copies are as they were mapped.
    #[inline]
    fn take(&self, layout: Layout) -> Result<(NonNull<u8>, bool), RegionError> {
        let class = class(layout, STRIDE).ok_or(RegionError::TooLarge)?;
        let item = match self.stacks(class).and_then(Stacks::pop) {
            Some(item) => item,
            None => self.refill(layout, class)?,
        };
        let address = ptr::with_exposed_provenance_mut(item & !TAGS);
        // SAFETY: stacks and lists hold addresses of items only.
        Ok((unsafe { NonNull::new_unchecked(address) }, item & geometry::FRESH != 0))
    }

    /// The stacks of a class, if there are any.
    #[inline]
    fn stacks(&self, class: usize) -> Option<Stacks> {
        // SAFETY: what is not null was mapped for all CPU numbers that the kernel gives, and is only used by stacks.
        unsafe { Stacks::new(self.stacks.load(Ordering::Acquire), memory::slots(), class) }
    }
}

impl<const STRIDE: usize> Default for Region<STRIDE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const STRIDE: usize> fmt::Debug for Region<STRIDE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").field("stride", &STRIDE).field("options", &self.options).finish_non_exhaustive()
    }
}
