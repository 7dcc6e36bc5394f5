//! The memory that a region takes, and where it is.

use super::*;
use crate::sys::{self, in_child};
use std::boxed::Box;
use std::format;

/// Kilobytes of this process's own in the copies of a page-sized item.
fn own_kilobytes<const STRIDE: usize>(region: &Region<STRIDE>, item: NonNull<u8>) -> usize {
    let (first, end) = (item.addr().get(), item.addr().get() + region.copies() * STRIDE);
    let (maps, mut inside, mut sum) = (std::fs::read_to_string("/proc/self/smaps").unwrap(), false, 0);
    for line in maps.lines() {
        let address = |text: Option<&str>| text.and_then(|text| usize::from_str_radix(text, 16).ok());
        let mut range = line.split(' ').next().unwrap_or_default().split('-').map(Some);
        if let (Some(start), Some(stop)) = (address(range.next().flatten()), address(range.next().flatten())) {
            inside = start < end && stop > first;
        } else if let Some(size) = line.strip_prefix("Anonymous:").filter(|_| inside) {
            sum += size.trim().trim_end_matches(" kB").parse::<usize>().unwrap();
        }
    }
    sum
}

#[test]
fn copies_on_write_take_no_memory_before_they_are_written() {
    let region = Region::<{ 1 << 16 }>::with(RegionOptions::new().copy_on_write());
    let layout = layout(1 << 16, 1);
    let item = region.alloc_copied(layout, &[7; 1 << 16]).unwrap();
    assert!(is(&region, item, &[7; 1 << 16]));
    assert_eq!(own_kilobytes(&region, item), 0);
    // SAFETY: the last copy of the item.
    unsafe { region.copy_of(item, last()).write(8) };
    let own = own_kilobytes(&region, item);
    assert!((1..=64).contains(&own), "{own} KiB of one page");
    // SAFETY: the second byte of the first copy.
    assert_eq!(unsafe { region.copy_of(item, 0).byte_add(1).read() }, 7);
}

#[test]
fn untouched_copies_take_no_memory() {
    let measured = || {
        let region = Region::<{ 1 << 16 }>::new();
        let item = region.alloc_zeroed(layout(1 << 16, 1)).unwrap();
        // A page of the region's own is in the same mapping.
        let before = own_kilobytes(&region, item);
        // SAFETY: the last copy of the item.
        unsafe { region.copy_of(item, last()).write(8) };
        [before, own_kilobytes(&region, item).wrapping_sub(before)]
    };
    // The kernel may join the mapping with one that another test makes right beside it.
    let mut tries = (0..20).map(|_| measured());
    let is_one_page = tries.any(|[before, own]| (1..=64).contains(&before) && (1..=64).contains(&own));
    assert!(is_one_page, "{:?} KiB before and after one page is written", measured());
}

/// In a child, where no other thread maps memory meanwhile.
#[test]
fn a_region_that_is_dropped_unmaps_its_ranges() {
    let child = in_child(|| {
        let region = Region::<SMALL>::new();
        let layout = layout(SMALL, 1);
        let items: [_; 5] = core::array::from_fn(|_| region.alloc(layout).unwrap());
        let before = items.iter().all(|item| sys::mappings::is_mapped(*item, SMALL));
        drop(region);
        u8::from(before) + 2 * u8::from(!items.iter().any(|item| sys::mappings::is_mapped(*item, SMALL)))
    });
    assert_eq!(child, Ok(Some(3)));
}

#[test]
fn memory_of_the_program_is_used_up_and_nothing_is_mapped() {
    let memory = Box::leak(std::vec![0x11u8; 3 * Region::<SMALL>::range_size()].into_boxed_slice());
    let (start, len) = (NonNull::new(memory.as_mut_ptr()).unwrap(), memory.len());
    // SAFETY: it was leaked, and no other region has it.
    let region = Region::<SMALL>::with(unsafe { RegionOptions::new().memory(start, len) });
    let layout = layout(SMALL / 4, 1);
    let items: Vec<_> = core::iter::from_fn(|| region.alloc_zeroed(layout).ok()).take(100).collect();
    assert!((8..=12).contains(&items.len()), "{} items", items.len());
    assert_eq!(region.alloc(layout), Err(RegionError::NoMemory(sys::Errno::ENOSPC)));
    assert!(items.iter().all(|item| (start.addr()..start.addr().checked_add(len).unwrap()).contains(&item.addr())));
    assert!(items.iter().all(|&item| is(&region, item, &[0; SMALL / 4])));
    items.iter().for_each(|&item| write(&region, item, SMALL / 4, 1));
    drop(region);
    assert!(memory.contains(&1));
}

#[test]
fn each_cpus_copies_are_bound_to_its_node() {
    let region = Region::<{ 1 << 16 }>::with(RegionOptions::new().bind());
    match region.alloc(layout(8, 8)) {
        Ok(item) => {
            let maps = std::fs::read_to_string("/proc/self/numa_maps").unwrap_or_default();
            let start = format!("{:x} ", item.addr().get() & !0xffff);
            match maps.lines().find(|line| line.starts_with(&start)) {
                Some(line) => assert!(line.contains("bind:"), "{line}"),
                None => skipped("no numa_maps, so only the calls were looked at"),
            }
        }
        Err(error) => {
            assert!(matches!(error, RegionError::NotBound(_)), "{error}");
            skipped(error);
        }
    }
}
