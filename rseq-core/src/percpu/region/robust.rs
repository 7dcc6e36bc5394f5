//! Finding errors in how items are used.
//!
//! The shadow's word of an item says what the item is: on a list, in use with its size, or nothing.

use super::class::CLASSES;
use super::geometry::{FRESH, Geometry, TAGS};
use super::lists::Lists;
use super::options::Reporter;
use core::fmt;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

const WORD: usize = size_of::<usize>();

/// In an item's word: it is in use; the rest is the size of its layout, from bit 3 on.
const USED: usize = 1;

/// In an item's word: it is free; the rest is the address of the next free one.
pub(super) const FREE: usize = 2;

/// What freed items, and the ends of items that are smaller than their class, are filled with by default.
pub(super) const POISON: usize = usize::from_ne_bytes([0xa5; size_of::<usize>()]);

/// An error in how items are used, which a region with [`RegionOptions::robust`](super::RegionOptions::robust) has
/// found. Items are named by their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// An item was freed that was free.
    DoubleFree {
        /// The item.
        item: usize,
    },
    /// What was freed is not an item of this region.
    Foreign {
        /// The address.
        address: usize,
    },
    /// An item was freed with another size than it was allocated with.
    WrongLayout {
        /// The item, which stays allocated.
        item: usize,
        /// The size that it was allocated with.
        size: usize,
        /// The size that it was to be freed with.
        freed_as: usize,
    },
    /// What follows an item was written; found when it was freed. It stays free, and is not used again.
    Overrun {
        /// The item.
        item: usize,
        /// The CPU whose copy was written.
        cpu: usize,
    },
    /// An item was written after it was freed; found when it was to be allocated again, or when the region was
    /// dropped. It is not used again.
    WriteAfterFree {
        /// The item.
        item: usize,
        /// The CPU whose copy was written; the number of copies, if it was the template of a region that is
        /// [copied on write](super::RegionOptions::copy_on_write).
        cpu: usize,
    },
    /// The list of free items was overwritten; found when an item was to be allocated, or when the region was
    /// dropped. The items on it are not used again.
    CorruptList {
        /// What was found in the place of a free item on the list.
        item: usize,
    },
    /// An item was still allocated when the region was dropped.
    Leak {
        /// The item, as an address that is not mapped any more after the drop.
        item: usize,
        /// The size that it was allocated with.
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

/// Marks an item as being in use, and fills what follows it.
pub(super) fn begin_use(item: NonNull<u8>, size: usize, class: usize, geometry: Geometry) {
    poison(item, size, class, geometry);
    // SAFETY: an item lies in a range, which is there as long as the region.
    unsafe { geometry.word(item.as_ptr().expose_provenance()) }.store(size << 3 | USED, Relaxed);
}

/// Marks what is to be freed as free, if it is in use with this size. Under the lock.
pub(super) fn end_use(lists: &Lists, item: usize, size: usize, geometry: Geometry) -> Result<(), Finding> {
    let word = word_of(lists, item, geometry).ok_or(Finding::Foreign { address: item })?;
    let found = word.load(Relaxed);
    match found & (USED | FREE) {
        USED if found >> 3 == size => {
            word.store(FREE, Relaxed);
            Ok(())
        }
        USED => Err(Finding::WrongLayout { item, size: found >> 3, freed_as: size }),
        FREE if found & FRESH == 0 => Err(Finding::DoubleFree { item }),
        _ => Err(Finding::Foreign { address: item }),
    }
}

/// The word of what may be an item: of addresses in the copy of CPU 0 that are multiples of 8.
fn word_of(lists: &Lists, item: usize, geometry: Geometry) -> Option<&AtomicUsize> {
    let is_there = ranges(lists, geometry).any(|range| (range..range + geometry.stride).contains(&item));
    // SAFETY: it lies in a range, in the copy of CPU 0, and is a multiple of 8.
    (is_there && item.is_multiple_of(8)).then(|| unsafe { geometry.word(item) })
}

/// Whether a list begins with a free item, if it begins with any. Under the lock.
pub(super) fn check_list(lists: &Lists, class: usize, geometry: Geometry) -> Result<(), Finding> {
    let item = lists.first(class);
    let is_free = |word: &AtomicUsize| word.load(Relaxed) & (USED | FREE) == FREE;
    match item == 0 || word_of(lists, item, geometry).is_some_and(is_free) {
        true => Ok(()),
        false => Err(Finding::CorruptList { item }),
    }
}

/// The region's ranges.
pub(super) fn ranges(lists: &Lists, geometry: Geometry) -> impl Iterator<Item = usize> {
    let address = |range: usize| (range != 0).then_some(range);
    core::iter::successors(address(lists.range.load(Relaxed)), move |&range| {
        // SAFETY: ranges are there as long as the region.
        address(unsafe { geometry.before(range) }.load(Relaxed))
    })
}

/// Fills an item of `class` from byte `from` on: first in the template, which untouched copies then show, and then in
/// each copy that is not filled already. A parent's template is left alone, and all copies are filled.
pub(super) fn poison(item: NonNull<u8>, from: usize, class: usize, geometry: Geometry) {
    let always = geometry.has_parents_template(item);
    for copy in geometry.template_of(item).into_iter().chain(geometry.copies_of(item)) {
        if always || is_changed(copy, from, class, geometry) {
            fill(copy, from, class, geometry);
        }
    }
}

fn fill(copy: NonNull<u8>, from: usize, class: usize, geometry: Geometry) {
    let first_word = from.next_multiple_of(WORD);
    for (at, byte) in (from..first_word).zip(geometry.pattern.to_ne_bytes().into_iter().skip(from % WORD)) {
        // SAFETY: a copy has `1 << class` bytes, a multiple of a word, and nobody uses these.
        unsafe { copy.byte_add(at).write(byte) };
    }
    for at in (first_word..1 << class).step_by(WORD) {
        // SAFETY: as above; copies are aligned to words.
        unsafe { copy.byte_add(at).cast::<usize>().write(geometry.pattern) };
    }
}

/// The CPU in whose copy an item of `class` was changed from byte `from` on since it was filled.
pub(super) fn changed(item: NonNull<u8>, from: usize, class: usize, geometry: Geometry) -> Option<usize> {
    let mut copies = geometry.copies_of(item).chain(geometry.template_of(item));
    copies.position(|copy| is_changed(copy, from, class, geometry))
}

fn is_changed(copy: NonNull<u8>, from: usize, class: usize, geometry: Geometry) -> bool {
    let first_word = from.next_multiple_of(WORD);
    let pattern = geometry.pattern.to_ne_bytes().into_iter().skip(from % WORD);
    // They are read as atomics, since a program with an error may write them.
    // SAFETY: a copy has `1 << class` bytes, a multiple of a word.
    let byte = |at| unsafe { copy.byte_add(at).cast::<AtomicU8>().as_ref() }.load(Relaxed);
    // SAFETY: as above; copies are aligned to words.
    let word = |at| unsafe { copy.byte_add(at).cast::<AtomicUsize>().as_ref() }.load(Relaxed);
    (from..first_word).zip(pattern).any(|(at, expected)| byte(at) != expected)
        || (first_word..1 << class).step_by(WORD).any(|at| word(at) != geometry.pattern)
}

/// Reports what is wrong with the items of a region that is dropped.
pub(super) fn audit(lists: &Lists, geometry: Geometry, reporter: Reporter) {
    for class in 0..CLASSES {
        audit_list(lists, class, geometry, reporter);
    }
    for item in ranges(lists, geometry).flat_map(|range| (range..range + geometry.stride).step_by(8)) {
        // SAFETY: it lies in a range, in the copy of CPU 0, and is a multiple of 8.
        let word = unsafe { geometry.word(item) }.load(Relaxed);
        if word & USED != 0 {
            reporter.report(Finding::Leak { item, size: word >> 3 });
        }
    }
}

/// Takes what is on a list off it, so that a list which leads back to itself ends too.
fn audit_list(lists: &Lists, class: usize, geometry: Geometry, reporter: Reporter) {
    let mut next = lists.first(class);
    while next != 0 {
        let word = word_of(lists, next, geometry).map_or(0, |word| word.swap(0, Relaxed));
        if word & (USED | FREE) != FREE {
            return reporter.report(Finding::CorruptList { item: next });
        }
        let item = NonNull::new(ptr::with_exposed_provenance_mut(next)).filter(|_| word & FRESH == 0);
        if let Some(cpu) = item.and_then(|item| changed(item, 0, class, geometry)) {
            reporter.report(Finding::WriteAfterFree { item: next, cpu });
        }
        next = word & !TAGS;
    }
}
