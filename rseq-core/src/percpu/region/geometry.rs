//! Where things are in a range: the copies of each CPU, the template if there is one, and the region's own shadow.

use super::options::{Populate, RegionOptions};
use crate::sys::generation;
use crate::sys::memory::align_up;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a range that hold words about it: the address of the range before it, and of some the region's owner and
/// the process that made it. They follow the shadow, or, where the range has a lead, end where the copies begin.
const HEADER: usize = 64;

/// The largest pages that Linux has as its smallest ones.
const LARGEST_PAGE: usize = 1 << 16;

/// In the address of an item: all of its copies are as they were mapped.
pub(super) const FRESH: usize = 4;

/// The bits of an item's address that say something else.
pub(super) const TAGS: usize = 7;

/// Of a region, once the number of CPUs is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) stride: usize,
    /// Copies of an item.
    pub(super) slots: usize,
    /// What freed items are filled with.
    pub(super) pattern: usize,
    populate: Populate,
    is_given: bool,
    has_lead: bool,
}

impl Geometry {
    pub(super) fn new(options: &RegionOptions, stride: usize, slots: usize) -> Self {
        let is_given = !options.given.start.is_null();
        let is_template = matches!(options.populate, Populate::CopyOnWrite);
        let has_lead = !is_given && (options.owner != 0 || !options.is_inherited || is_template);
        Self { stride, slots, pattern: options.pattern, populate: options.populate, is_given, has_lead }
    }

    /// Bytes of all copies.
    pub(super) const fn copies(self) -> usize {
        self.slots * self.stride
    }

    const fn has_template(self) -> bool {
        matches!(self.populate, Populate::CopyOnWrite)
    }

    /// From a range's start, or from the copy of CPU 0, to the shadow: a copy of the region's own, with the links of
    /// items.
    const fn shadow(self) -> usize {
        self.copies() + if self.has_template() { self.stride } else { 0 }
    }

    /// Bytes of a range that are mapped before its copies.
    pub(super) const fn lead(self) -> usize {
        if self.has_lead { LARGEST_PAGE } else { 0 }
    }

    /// Bytes of a range from its copies on.
    pub(super) const fn size(self) -> usize {
        let size = self.shadow() + self.stride + HEADER;
        align_up(size, if self.is_given { self.stride } else { LARGEST_PAGE })
    }

    /// What the items of a new range are tagged with.
    pub(super) const fn fresh(self) -> usize {
        if self.is_given { 0 } else { FRESH }
    }

    /// The region's word for the item at an address of a range.
    ///
    /// # Safety
    ///
    /// `item` is an address in the copy of CPU 0 in a range of this geometry, a multiple of 8, and the range is there
    /// as long as the reference is used.
    pub(super) unsafe fn word<'a>(self, item: usize) -> &'a AtomicUsize {
        // SAFETY: the shadow is as large as a copy, and only ever accessed by these words.
        unsafe { &*ptr::with_exposed_provenance::<AtomicUsize>(item + self.shadow()) }
    }

    /// The address of the range before the one at `range`; 0 if there is none.
    ///
    /// # Safety
    ///
    /// `range` is a range of this geometry.
    pub(super) unsafe fn before<'a>(self, range: usize) -> &'a AtomicUsize {
        let header = if self.has_lead { range - HEADER } else { range + self.shadow() + self.stride };
        // SAFETY: HEADER bytes are there.
        unsafe { &*ptr::with_exposed_provenance::<AtomicUsize>(header) }
    }

    /// The generation of the process that made a range.
    ///
    /// # Safety
    ///
    /// `range` is a range of this geometry, which has a lead.
    pub(super) unsafe fn process<'a>(self, range: usize) -> &'a AtomicUsize {
        // SAFETY: HEADER bytes precede the copies.
        unsafe { &*ptr::with_exposed_provenance::<AtomicUsize>(range - HEADER + 2 * size_of::<usize>()) }
    }

    /// The copies of an item.
    pub(super) fn copies_of(self, item: NonNull<u8>) -> impl Iterator<Item = NonNull<u8>> {
        // SAFETY: the copies lie in the item's range.
        (0..self.slots).map(move |slot| unsafe { item.byte_add(slot * self.stride) })
    }

    /// Where untouched copies of the item come from, if there is such a place, and if it is this process's.
    pub(super) fn template_of(self, item: NonNull<u8>) -> Option<NonNull<u8>> {
        self.place_of_template(item).filter(|_| !self.has_parents_template(item))
    }

    /// Where untouched copies of the item come from, whoever changes it.
    pub(super) fn place_of_template(self, item: NonNull<u8>) -> Option<NonNull<u8>> {
        // SAFETY: the template follows the copies.
        self.has_template().then(|| unsafe { item.byte_add(self.copies()) })
    }

    /// Whether untouched copies of the item show the template of a process that this one was forked from, which may
    /// change it at any time.
    pub(super) fn has_parents_template(self, item: NonNull<u8>) -> bool {
        let range = item.as_ptr().expose_provenance() & !(self.stride - 1);
        // SAFETY: an item lies in the first copy of a range, which begins at a multiple of the stride; a range with a
        // template has a lead.
        self.has_template() && unsafe { self.process(range) }.load(Ordering::Relaxed) != generation()
    }
}

/// The owner of the region of a range.
///
/// # Safety
///
/// `range` is a range of a region with an owner.
#[inline]
pub(super) unsafe fn owner<'a>(range: usize) -> &'a AtomicUsize {
    // SAFETY: HEADER bytes precede the copies.
    unsafe { &*ptr::with_exposed_provenance::<AtomicUsize>(range - HEADER + size_of::<usize>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other() {
        let plain = Geometry::new(&RegionOptions::new(), 4096, 32);
        assert_eq!((plain.copies(), plain.shadow(), plain.size()), (32 * 4096, 32 * 4096, 3 * LARGEST_PAGE));
        let template = Geometry::new(&RegionOptions::new().copy_on_write(), 4096, 32);
        assert_eq!((template.copies(), template.shadow(), template.lead()), (32 * 4096, 33 * 4096, LARGEST_PAGE));
        // SAFETY: the memory is not used.
        let given = unsafe { RegionOptions::new().memory(NonNull::dangling(), 0) };
        let given = Geometry::new(&given, 4096, 32);
        assert_eq!((given.size(), given.fresh(), given.lead()), (34 * 4096, 0, 0));
        let owned = Geometry::new(&RegionOptions::new().owner(1), 4096, 32);
        assert_eq!((owned.lead(), owned.size()), (LARGEST_PAGE, plain.size()));
    }
}
