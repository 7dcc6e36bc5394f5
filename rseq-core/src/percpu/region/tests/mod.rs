//! Regions seen from inside. The other tests need only the public interface, and are in `tests/region`.

extern crate std;

mod children;
mod findings;
mod footprint;

use super::*;
use crate::skipped::skipped;
use crate::{Ambient, ensure_registered};
use std::vec::Vec;

const SMALL: usize = 4096;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Writes `value` to the whole item, in each copy.
fn write<const STRIDE: usize>(region: &Region<STRIDE>, item: NonNull<u8>, size: usize, value: u8) {
    // SAFETY: the item has so many bytes, and this thread alone has it.
    region
        .arena
        .geometry(Region::<STRIDE>::SHAPE)
        .copies_of(item)
        .for_each(|copy| unsafe { copy.write_bytes(value, size) });
}

/// Whether each copy of the item is `value`.
fn is<const STRIDE: usize>(region: &Region<STRIDE>, item: NonNull<u8>, value: &[u8]) -> bool {
    // SAFETY: as in `write`.
    let same = |copy: NonNull<u8>| unsafe { core::slice::from_raw_parts(copy.as_ptr(), value.len()) } == value;
    region.arena.geometry(Region::<STRIDE>::SHAPE).copies_of(item).all(same)
}

/// The highest CPU number that has copies.
fn last() -> usize {
    memory::slot_count() - 1
}

#[test]
fn zeroed_items_are_zero_when_they_come_again() {
    let region = Region::<SMALL>::new();
    let layout = layout(48, 8);
    let mut found = 0;
    for _ in 0..100 {
        let items: Vec<_> = (0..10).map(|_| region.alloc_zeroed(layout).unwrap()).collect();
        assert!(items.iter().all(|&item| is(&region, item, &[0; 48])));
        items.iter().for_each(|&item| write(&region, item, 48, 1));
        // SAFETY: each was allocated above and is not used any more.
        items.iter().for_each(|&item| unsafe { region.free(item, layout) });
        let item = region.alloc(layout).unwrap();
        found += usize::from(is(&region, item, &[1; 48]));
        // SAFETY: as above.
        unsafe { region.free(item, layout) };
    }
    assert!(found > 0, "no item came again");
}

#[test]
fn copied_items_begin_with_the_value() {
    for options in [RegionOptions::new(), RegionOptions::new().copy_on_write()] {
        let region = Region::<{ 1 << 16 }>::with(options);
        let layout = layout(100, 1);
        for round in 1..20 {
            let item = region.alloc_copied(layout, &[round; 60]).unwrap();
            let expected: Vec<u8> = (0..100).map(|at| if at < 60 { round } else { 0 }).collect();
            assert!(is(&region, item, &expected), "round {round}: {options:?}");
            write(&region, item, 100, 99);
            // SAFETY: it was allocated above and is not used any more.
            unsafe { region.free(item, layout) };
        }
        assert_eq!(region.alloc_copied(layout, &[0; 101]), Err(RegionError::TooLarge));
    }
}

#[test]
fn every_copy_is_initialised_with_its_cpu() {
    let region = Region::<SMALL>::new();
    // SAFETY: the copies of a u16.
    let item = region.alloc_init(layout(2, 2), |cpu, copy| unsafe { copy.cast::<u16>().write(cpu as u16) }).unwrap();
    // SAFETY: as above.
    let value = |cpu| unsafe { region.copy_of(item, cpu).cast::<u16>().read() };
    assert!((0..region.copies()).all(|cpu| usize::from(value(cpu)) == cpu));
}

#[test]
fn items_are_aligned_and_those_that_do_not_fit_are_refused() {
    let region = Region::<{ 1 << 16 }>::new();
    for align in (0..=16).map(|power| 1usize << power) {
        let item = region.alloc(layout(1, align)).unwrap();
        assert!((0..3).all(|cpu| region.copy_of(item, cpu).addr().get().is_multiple_of(align)), "{align}");
    }
    // Larger than the boundaries that kernels place large mappings at by themselves.
    #[cfg(target_pointer_width = "64")]
    {
        let regions = [const { Region::<{ 1 << 23 }>::new() }; 3];
        let addresses = regions.each_ref().map(|region| region.alloc(layout(1, 1 << 23)).unwrap().addr().get());
        assert!(addresses.iter().all(|address| address.is_multiple_of(1 << 23)), "{addresses:x?}");
    }
    assert_eq!(region.alloc(layout(1, 1 << 17)), Err(RegionError::TooLarge));
    assert_eq!(region.alloc(layout((1 << 16) + 1, 1)), Err(RegionError::TooLarge));
}

#[test]
fn room_that_large_items_leave_is_used() {
    let region = Region::<SMALL>::new();
    let range = |item: NonNull<u8>| item.addr().get() / SMALL;
    let small = region.alloc(layout(8, 8)).unwrap();
    let large = region.alloc(layout(SMALL, 1)).unwrap();
    assert_ne!(range(small), range(large));
    for size in [2048, 1024, 512] {
        assert_eq!(range(region.alloc(layout(size, 1)).unwrap()), range(small), "{size}");
    }
}

#[test]
fn threads_that_are_registered_use_stacks() {
    let region = Region::<SMALL>::new();
    let item = region.alloc(layout(64, 8)).unwrap();
    // SAFETY: it was allocated above.
    unsafe { region.free(item, layout(64, 8)) };
    let is_on = memory::is_on() && ensure_registered().is_ok() && Ambient::token().is_registered();
    assert_eq!(region.arena.stacks(6).is_some(), is_on);
}
