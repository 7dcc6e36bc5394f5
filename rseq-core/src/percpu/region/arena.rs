//! The common part of [`Region`](super::Region) and [`DynRegion`](super::DynRegion). Each passes its shape, which is a
//! constant of the one and a value of the other.

use super::cpu_stacks::{self, Stacks};
use super::error::RegionError;
use super::free_items::Lists;
use super::geometry::{self, Geometry, TAGS};
use super::item_size::Size;
use super::options::RegionOptions;
use super::shape::RegionShape;
use super::{range, robust};
use crate::percpu::lock::SpinLock;
use crate::percpu::memory;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

/// Its owner calls [`clear`](Self::clear) in the end.
pub(super) struct Arena {
    /// The stacks of all CPUs; null before the first use, and if there are none.
    pub(super) stacks: AtomicPtr<u8>,
    pub(super) lists: SpinLock<Lists>,
    pub(super) options: RegionOptions,
}

impl Arena {
    pub(super) const fn new(options: RegionOptions) -> Self {
        Self { stacks: AtomicPtr::new(ptr::null_mut()), lists: SpinLock::new(Lists::new()), options }
    }

    pub(super) fn geometry(&self, shape: RegionShape) -> Geometry {
        Geometry::new(&self.options, shape.stride, shape.copies())
    }

    #[inline]
    pub(super) fn alloc(&self, size: Size, shape: &RegionShape) -> Result<NonNull<u8>, RegionError> {
        self.take(size, shape).map(|(item, _)| item)
    }

    /// # Safety
    ///
    /// This arena allocated the item for this size, and the item is no longer used.
    #[inline]
    pub(super) unsafe fn free(&self, item: NonNull<u8>, size: Size, shape: &RegionShape) {
        let push = |stacks: Stacks| stacks.push(item.as_ptr().expose_provenance(), size.most).ok();
        if self.stacks(size.class).and_then(push).is_none() {
            self.release(item, size.layout, shape);
        }
    }

    /// Fills an item with the options' pattern, if the options ask for it.
    ///
    /// # Safety
    ///
    /// As for [`free`](Self::free), which has to follow.
    #[inline]
    pub(super) unsafe fn fill_freed(&self, item: NonNull<u8>, class: usize, shape: &RegionShape) {
        if self.options.fills {
            self.fill(item, class, shape);
        }
    }

    #[cold]
    #[inline(never)]
    fn fill(&self, item: NonNull<u8>, class: usize, shape: &RegionShape) {
        // A robust region fills items itself, after it has checked them.
        if self.options.reporter().is_none() {
            robust::poison(item, 0, class, self.geometry(*shape));
        }
    }

    /// Allocates an item. Also returns whether all its copies are still as they were mapped.
    #[inline]
    pub(super) fn take(&self, size: Size, shape: &RegionShape) -> Result<(NonNull<u8>, bool), RegionError> {
        let item = match self.stacks(size.class).and_then(Stacks::pop) {
            Some(item) => item,
            None => self.refill(size.layout, shape)?,
        };
        let address = ptr::with_exposed_provenance_mut(item & !TAGS);
        // SAFETY: stacks and lists hold addresses of items, which are not null.
        Ok((unsafe { NonNull::new_unchecked(address) }, item & geometry::FRESH != 0))
    }

    /// The stacks of a class, if there are any.
    #[inline]
    pub(super) fn stacks(&self, class: usize) -> Option<Stacks> {
        // SAFETY: a pointer that is not null was mapped for all CPU numbers that the kernel assigns, and only stacks
        // use the memory.
        unsafe { Stacks::new(self.stacks.load(Ordering::Acquire), memory::slots(), class) }
    }

    /// Whether an address lies in the copies of items that exist, or that fit in the present ranges.
    pub(super) fn contains(&self, address: usize, shape: RegionShape) -> bool {
        let geometry = self.geometry(shape);
        let is_in = |range| (range..range + geometry.copies()).contains(&address);
        self.lists.with(|lists| lists.ranges(geometry).any(is_in))
    }

    /// Unmaps everything.
    ///
    /// # Safety
    ///
    /// The shape is the same as in all calls before. No item is used any longer, and no thread is in an operation.
    pub(super) unsafe fn clear(&mut self, shape: RegionShape) {
        let geometry = self.geometry(shape);
        let newest = self.lists.get_mut().ranges(geometry).next();
        let is_ours = newest.is_none_or(|newest| range::is_ours(newest, &self.options, geometry));
        let mapped = Mapped { arena: self, is_ours, geometry };
        if let Some(reporter) = mapped.arena.options.reporter().filter(|_| is_ours) {
            robust::audit(mapped.arena.lists.get_mut(), geometry, reporter);
        }
    }
}

/// What an arena has mapped that is no longer used; dropping it unmaps it, after a panic of the program's function too.
struct Mapped<'a> {
    arena: &'a mut Arena,
    is_ours: bool,
    geometry: Geometry,
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        let is_mapped = self.arena.options.given.start.is_null();
        let mut ranges = self.arena.lists.get_mut().ranges(self.geometry);
        while let Some(range) = ranges.next().filter(|_| is_mapped) {
            // SAFETY: `make` returned the range, and by the contract of `clear`, which makes this value, its items are
            // no longer used. The next range has been read before.
            unsafe { range::unmake(range, self.is_ours, self.geometry) };
        }
        let stacks = *self.arena.stacks.get_mut();
        if !stacks.is_null() {
            // SAFETY: it was mapped for this many CPUs, and by the contract of `clear` no thread is in a section of
            // this arena.
            unsafe { cpu_stacks::unmap(stacks, memory::slots()) };
        }
    }
}
