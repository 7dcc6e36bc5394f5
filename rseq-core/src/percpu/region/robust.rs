//! Robust regions: detecting errors in how items are used.
//!
//! The word of an item in the shadow is its state: free and on a list, in use with a size, or neither.

use super::finding::Finding;
use super::free_items::Lists;
use super::geometry::{FREE, FRESH, Geometry, TAGS};
use super::item_size::CLASSES;
use super::options::Reporter;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

const WORD: usize = size_of::<usize>();

/// A flag in an item's word: the item is in use. The bits from 3 on are the size of its layout.
const USED: usize = 1;

/// Marks an item as being in use, and fills the bytes from its end to the size of its class.
pub(super) fn begin_use(item: NonNull<u8>, size: usize, class: usize, geometry: Geometry) {
    poison(item, size, class, geometry);
    // SAFETY: an item's address is a multiple of 8, in the copy of CPU 0 of a range, which is mapped until the region
    // is dropped.
    unsafe { geometry.word(item.as_ptr().expose_provenance()) }.store(size << 3 | USED, Relaxed);
}

/// Marks an item as free, if it is in use with this size. The caller holds the lock.
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

/// The word for an address, if an item may have it: a multiple of 8 in the copy of CPU 0 of a range.
fn word_of(lists: &Lists, item: usize, geometry: Geometry) -> Option<&AtomicUsize> {
    let is_there = lists.ranges(geometry).any(|range| (range..range + geometry.stride).contains(&item));
    // SAFETY: the address is a multiple of 8, in the copy of CPU 0 of a range, which is mapped until the region and
    // with it `lists` is dropped.
    (is_there && item.is_multiple_of(8)).then(|| unsafe { geometry.word(item) })
}

/// Checks that the first item of a list, if there is one, is free. The caller holds the lock.
pub(super) fn check_list(lists: &Lists, class: usize, geometry: Geometry) -> Result<(), Finding> {
    let item = lists.first(class);
    let is_free = |word: &AtomicUsize| word.load(Relaxed) & (USED | FREE) == FREE;
    match item == 0 || word_of(lists, item, geometry).is_some_and(is_free) {
        true => Ok(()),
        false => Err(Finding::CorruptList { item }),
    }
}

/// Fills an item of `class` with the pattern, from byte `from` on: first the template, whose pages copies share until
/// they are written, and then each copy that has other contents. The template of a parent process is not written; all
/// copies are filled then.
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
        // SAFETY: a copy has `1 << class` bytes, a multiple of a word, so that the byte lies in it. The item is free,
        // or the byte is after its end, so that the program does not use it.
        unsafe { copy.byte_add(at).write(byte) };
    }
    for at in (first_word..1 << class).step_by(WORD) {
        // SAFETY: as above, for all bytes of the word; copies are aligned to words.
        unsafe { copy.byte_add(at).cast::<usize>().write(geometry.pattern) };
    }
}

/// The first CPU whose copy of an item of `class` differs from the pattern, from byte `from` on.
pub(super) fn changed(item: NonNull<u8>, from: usize, class: usize, geometry: Geometry) -> Option<usize> {
    let mut copies = geometry.copies_of(item).chain(geometry.template_of(item));
    copies.position(|copy| is_changed(copy, from, class, geometry))
}

fn is_changed(copy: NonNull<u8>, from: usize, class: usize, geometry: Geometry) -> bool {
    let first_word = from.next_multiple_of(WORD);
    let pattern = geometry.pattern.to_ne_bytes().into_iter().skip(from % WORD);
    // Atomic loads, because a program with an error may write these bytes at the same time.
    // SAFETY: a copy has `1 << class` bytes, a multiple of a word, so that the byte lies in it. It is initialised, and
    // mapped while the caller uses the item.
    let byte = |at| unsafe { copy.byte_add(at).cast::<AtomicU8>().as_ref() }.load(Relaxed);
    // SAFETY: as above, for all bytes of the word; copies are aligned to words.
    let word = |at| unsafe { copy.byte_add(at).cast::<AtomicUsize>().as_ref() }.load(Relaxed);
    (from..first_word).zip(pattern).any(|(at, expected)| byte(at) != expected)
        || (first_word..1 << class).step_by(WORD).any(|at| word(at) != geometry.pattern)
}

/// Reports errors in the items of a region that is being dropped.
pub(super) fn audit(lists: &Lists, geometry: Geometry, reporter: Reporter) {
    for class in 0..CLASSES {
        audit_list(lists, class, geometry, reporter);
    }
    for item in lists.ranges(geometry).flat_map(|range| (range..range + geometry.stride).step_by(8)) {
        // SAFETY: the address is a multiple of 8, in the copy of CPU 0 of a range, which is mapped until the region is
        // dropped.
        let word = unsafe { geometry.word(item) }.load(Relaxed);
        if word & USED != 0 {
            reporter.report(Finding::Leak { item, size: word >> 3 });
        }
    }
}

/// Checks the items of a list. It clears the word of each, so that it also ends if the list has a cycle.
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
