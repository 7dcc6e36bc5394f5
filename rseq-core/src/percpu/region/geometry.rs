//! The layout of a range: the copies of each CPU, the template if there is one, and the shadow.
//!
//! The shadow is as large as a copy. The word at an item's offset in it is the region's, such as the link of a free
//! item, so that the region never writes to the items themselves.

use super::options::{Populate, RegionOptions};
use crate::sys::generation;
use crate::sys::mappings::align_up;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

/// The size in bytes of a range's header: the address of the previous range, the region's owner, and the generation of
/// the process that mapped the range. It is at the end of the lead, or after the shadow if the range has no lead, in
/// which case only the first word is used.
const HEADER: usize = 64;

/// The largest base page size of Linux.
const LARGEST_PAGE: usize = 1 << 16;

/// A tag in an item's address: none of its copies has been written since they were mapped.
pub(super) const FRESH: usize = 4;

/// A tag in the word of an item in the shadow: the item is free. The rest of the word is the address of the next free
/// item on its list, with that one's tags.
pub(super) const FREE: usize = 2;

/// The bits of an item's address that hold tags: items are aligned to 8 bytes.
pub(super) const TAGS: usize = 7;

/// The size in bytes of copies that are `stride` bytes apart. None if they take a quarter of all addresses or more, or
/// one of them a sixteenth: below that, no size or offset in a range wraps around.
pub(super) const fn size_of_copies(stride: usize, copies: usize) -> Option<usize> {
    const MOST: usize = 1 << (usize::BITS - 2);
    match stride.checked_mul(copies) {
        Some(bytes) if bytes < MOST && stride < MOST / 4 => Some(bytes),
        _ => None,
    }
}

/// The layout of a region's ranges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) stride: usize,
    /// The number of copies of an item.
    pub(super) slots: usize,
    /// The word that freed items are filled with.
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

    /// Whether there can be a range of this layout. The number of copies may be known at run time only, so this is
    /// checked before a range is made; the other functions are for ranges that exist.
    pub(super) const fn can_be(self) -> bool {
        size_of_copies(self.stride, self.slots).is_some()
    }

    /// The size in bytes of all copies.
    pub(super) const fn copies(self) -> usize {
        self.slots * self.stride
    }

    const fn has_template(self) -> bool {
        matches!(self.populate, Populate::CopyOnWrite)
    }

    /// The offset in bytes of the shadow from the copy of CPU 0.
    const fn shadow(self) -> usize {
        self.copies() + if self.has_template() { self.stride } else { 0 }
    }

    /// The size in bytes of the lead, which precedes the copies and is mapped with them.
    pub(super) const fn lead(self) -> usize {
        if self.has_lead { LARGEST_PAGE } else { 0 }
    }

    /// The size in bytes of a range without its lead.
    pub(super) const fn size(self) -> usize {
        let size = self.shadow() + self.stride + HEADER;
        align_up(size, if self.is_given { self.stride } else { LARGEST_PAGE })
    }

    /// The tag of items in a new range.
    pub(super) const fn fresh(self) -> usize {
        if self.is_given { 0 } else { FRESH }
    }

    /// The word in the shadow for the item at an address.
    ///
    /// # Safety
    ///
    /// `item` is a multiple of 8, and an address in the copy of CPU 0 of a range with this geometry. The range is not
    /// unmapped while the reference is used.
    pub(super) unsafe fn word<'a>(self, item: usize) -> &'a AtomicUsize {
        // SAFETY: the shadow is as large as a copy, so that the word lies in it. It is aligned because `item`, the
        // stride and the size of the copies are multiples of 8. The range's address was exposed. The shadow is
        // initialised, and is only accessed through such references.
        unsafe { &*ptr::with_exposed_provenance::<AtomicUsize>(item + self.shadow()) }
    }

    /// The address of the previous range; 0 if there is none.
    ///
    /// # Safety
    ///
    /// `range` is the address of a range with this geometry, which is not unmapped while the reference is used.
    pub(super) unsafe fn before<'a>(self, range: usize) -> &'a AtomicUsize {
        let header = if self.has_lead { range - HEADER } else { range + self.shadow() + self.stride };
        // SAFETY: this is the first word of the header, which ends at the copies if there is a lead, and follows the
        // shadow if not. The range's address is a multiple of the stride, so the word is aligned, and was exposed. The
        // header is initialised, and is only accessed through such references.
        unsafe { &*ptr::with_exposed_provenance::<AtomicUsize>(header) }
    }

    /// The generation of the process that mapped a range.
    ///
    /// # Safety
    ///
    /// `range` is the address of a range with this geometry, which has a lead, and which is not unmapped while the
    /// reference is used.
    pub(super) unsafe fn process<'a>(self, range: usize) -> &'a AtomicUsize {
        // SAFETY: this is the third word of the header, which ends at the copies as there is a lead. It is aligned and
        // its address exposed, because the range's address is a multiple of the stride and was exposed. The header is
        // initialised, and is only accessed through such references.
        unsafe { &*ptr::with_exposed_provenance::<AtomicUsize>(range - HEADER + 2 * size_of::<usize>()) }
    }

    /// The copies of an item.
    pub(super) fn copies_of(self, item: NonNull<u8>) -> impl Iterator<Item = NonNull<u8>> {
        // SAFETY: the last copy begins `slots - 1` strides after the first, in the same range.
        (0..self.slots).map(move |slot| unsafe { item.byte_add(slot * self.stride) })
    }

    /// The item in the template, if there is one and this process may write it.
    pub(super) fn template_of(self, item: NonNull<u8>) -> Option<NonNull<u8>> {
        self.place_of_template(item).filter(|_| !self.has_parents_template(item))
    }

    /// The item in the template, if there is one, even if it is that of a parent process.
    pub(super) fn place_of_template(self, item: NonNull<u8>) -> Option<NonNull<u8>> {
        // SAFETY: the template follows the copies, in the same range.
        self.has_template().then(|| unsafe { item.byte_add(self.copies()) })
    }

    /// Whether the template is that of a parent process, which may change it at any time.
    pub(super) fn has_parents_template(self, item: NonNull<u8>) -> bool {
        let range = item.as_ptr().expose_provenance() & !(self.stride - 1);
        // SAFETY: an item's address is in the copy of CPU 0, which begins at the range's address, a multiple of the
        // stride. A range with a template has a lead. The range is mapped while the caller uses the item.
        self.has_template() && unsafe { self.process(range) }.load(Ordering::Relaxed) != generation()
    }
}

/// The owner of a range's region.
///
/// # Safety
///
/// `range` is the address of a range with a lead, which is not unmapped while the reference is used.
#[inline]
pub(super) unsafe fn owner<'a>(range: usize) -> &'a AtomicUsize {
    // SAFETY: this is the second word of the header, which ends at the copies as there is a lead. It is aligned and its
    // address exposed, because the range's address is a multiple of the stride and was exposed. The header is
    // initialised, and is only accessed through such references.
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
        // SAFETY: no range is cut from the memory, so that it is not accessed.
        let given = unsafe { RegionOptions::new().memory(NonNull::dangling(), 0) };
        let given = Geometry::new(&given, 4096, 32);
        assert_eq!((given.size(), given.fresh(), given.lead()), (34 * 4096, 0, 0));
        let owned = Geometry::new(&RegionOptions::new().owner(1), 4096, 32);
        assert_eq!((owned.lead(), owned.size()), (LARGEST_PAGE, plain.size()));
    }

    #[test]
    fn no_size_of_a_range_that_can_be_wraps_around() {
        let (largest, quarter) = (usize::BITS - 5, 1usize << (usize::BITS - 2));
        for (stride, slots) in (12..usize::BITS).flat_map(|bit| [0, 1, 2, 3, 64, 256, 8192].map(|n| (1 << bit, n))) {
            // SAFETY: no range is cut from the memory, so that it is not accessed.
            let given = unsafe { RegionOptions::new().memory(NonNull::dangling(), 0) };
            for options in [RegionOptions::new().copy_on_write(), RegionOptions::new(), given] {
                let geometry = Geometry::new(&options, stride, slots);
                let fits = stride <= 1 << largest && slots < quarter / stride;
                assert_eq!(geometry.can_be(), fits, "{slots} copies of {stride:#x} bytes");
                if fits {
                    let whole = geometry.lead() + geometry.size() + stride;
                    assert!(whole > geometry.shadow() && geometry.shadow() >= slots * stride, "{geometry:?}");
                    assert!(isize::try_from(whole).is_ok(), "{geometry:?}");
                }
            }
        }
    }
}
