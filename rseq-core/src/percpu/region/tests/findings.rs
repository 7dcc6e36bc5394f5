//! What robust regions report.

use super::*;
use crate::sys;
use core::ptr;
use std::boxed::Box;
use std::format;
use std::string::String;
use std::sync::Mutex;

fn of(address: usize) -> NonNull<u8> {
    NonNull::new(ptr::with_exposed_provenance_mut(address)).unwrap()
}

static FOUND: Mutex<Vec<Finding>> = Mutex::new(Vec::new());
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What a robust region found in `work` and when it was dropped.
fn findings(options: RegionOptions, work: impl FnOnce(&Region<SMALL>)) -> Vec<Finding> {
    let _alone = ONE_AT_A_TIME.lock();
    let region = Region::<SMALL>::with(options.robust(|finding| FOUND.lock().unwrap().push(finding)));
    work(&region);
    drop(region);
    core::mem::take(&mut *FOUND.lock().unwrap())
}

fn found(work: impl FnOnce(&Region<SMALL>)) -> Vec<Finding> {
    findings(RegionOptions::new(), work)
}

#[test]
fn nothing_is_found_where_all_is_well() {
    let memory = Box::leak(std::vec![0x11u8; 3 * Region::<SMALL>::range_size()].into_boxed_slice());
    let start = NonNull::new(memory.as_mut_ptr()).unwrap();
    // SAFETY: it was leaked, and no other region has it.
    let given = unsafe { RegionOptions::new().memory(start, memory.len()) };
    for options in [RegionOptions::new(), RegionOptions::new().copy_on_write(), given] {
        let found = findings(options, |region| {
            for size in [1, 8, 40, 48, 64, 1000, SMALL] {
                for _ in 0..3 {
                    let items: Vec<_> = (0..2).filter_map(|_| region.alloc_zeroed(layout(size, 1)).ok()).collect();
                    assert!(!items.is_empty());
                    for item in items {
                        assert!(is(region, item, &std::vec![0; size]), "{size}");
                        write(region, item, size, 7);
                        // SAFETY: it was allocated above and is not used any more.
                        unsafe { region.free(item, layout(size, 1)) };
                    }
                }
            }
        });
        assert_eq!(found, [], "{options:?}");
    }
}

#[test]
fn a_double_free_is_found_and_has_no_effect() {
    let mut item = 0;
    let found = found(|region| {
        let first = region.alloc(layout(8, 8)).unwrap();
        item = first.addr().get();
        // SAFETY: a robust region finds the second one.
        (0..2).for_each(|_| unsafe { region.free(first, layout(8, 8)) });
        let items: Vec<_> = (0..3).map(|_| region.alloc(layout(8, 8)).unwrap()).collect();
        assert!(items[0] != items[1] && items[1] != items[2] && items[0] != items[2]);
        // SAFETY: they were allocated above.
        items.iter().for_each(|&item| unsafe { region.free(item, layout(8, 8)) });
    });
    assert_eq!(found, [Finding::DoubleFree { item }]);
}

#[test]
fn foreign_addresses_are_found() {
    let mut expected = Vec::new();
    let found = found(|region| {
        let item = region.alloc(layout(64, 8)).unwrap();
        let (inside, odd) = (of(item.addr().get() + 8), of(item.addr().get() + 1));
        let copy = if last() == 0 { odd } else { region.copy_of(item, last()) };
        let (never, local) = (of(item.addr().get() + 1024), NonNull::from(&mut 7u64).cast());
        for address in [inside, odd, copy, never, local] {
            expected.push(Finding::Foreign { address: address.addr().get() });
            // SAFETY: a robust region finds it.
            unsafe { region.free(address, layout(64, 8)) };
        }
        // SAFETY: it was allocated above.
        unsafe { region.free(item, layout(64, 8)) };
    });
    assert_eq!(found, expected);
}

#[test]
fn leaks_and_wrong_layouts_are_found() {
    let mut item = 0;
    let found = found(|region| {
        let leaked = region.alloc(layout(24, 8)).unwrap();
        item = leaked.addr().get();
        // SAFETY: a robust region finds the wrong size.
        unsafe { region.free(leaked, layout(32, 8)) };
    });
    assert_eq!(found, [Finding::WrongLayout { item, size: 24, freed_as: 32 }, Finding::Leak { item, size: 24 }]);
}

#[test]
fn writes_after_a_free_and_beyond_the_end_are_found_and_the_items_not_used_again() {
    let mut items = [0; 3];
    let found = found(|region| {
        let [first, second, third] = core::array::from_fn(|_| region.alloc(layout(40, 8)).unwrap());
        items = [first, second, third].map(|item| item.addr().get());
        // SAFETY: byte 40 is one of the region's, which it finds written.
        unsafe { region.copy_of(first, last()).byte_add(40).write(1) };
        // SAFETY: each was allocated above.
        [first, second, third].into_iter().for_each(|item| unsafe { region.free(item, layout(40, 8)) });
        // SAFETY: the memory is the region's, which finds it written.
        unsafe { region.copy_of(third, 0).byte_add(39).write(1) };
        let next = region.alloc(layout(40, 8)).unwrap();
        assert_eq!(next, second);
        // SAFETY: it was allocated above.
        unsafe { region.free(next, layout(40, 8)) };
        // SAFETY: the memory is the region's, which finds it written when it is dropped.
        unsafe { region.copy_of(second, last()).write(0) };
    });
    let [first, second, third] = items;
    let written = |item, cpu| Finding::WriteAfterFree { item, cpu };
    assert_eq!(found, [Finding::Overrun { item: first, cpu: last() }, written(third, 0), written(second, last())]);
}

#[test]
fn findings_name_what_they_are() {
    let text = |finding: Finding| format!("{finding}");
    assert_eq!(text(Finding::DoubleFree { item: 16 }), "item 0x10 was freed twice");
    assert_eq!(text(Finding::Leak { item: 16, size: 8 }), "item 0x10 of 8 bytes was not freed");
    let error = String::from("no memory for per-CPU items: ENOSPC (28)");
    assert_eq!(format!("{}", RegionError::NoMemory(sys::Errno::ENOSPC)), error);
}

/// Such a range has no lead with the generation of its process: what precedes it is not the region's.
#[test]
fn leaks_in_memory_of_the_program_are_found_if_it_is_not_inherited() {
    let size = Region::<SMALL>::range_size();
    let memory = Box::leak(std::vec![0x11u8; size + 2 * SMALL].into_boxed_slice());
    let start = of(memory.as_mut_ptr().expose_provenance().next_multiple_of(SMALL) + SMALL);
    // SAFETY: the bytes are within the leaked memory, and no other region has them.
    let options = unsafe { RegionOptions::new().memory(start, size) }.not_inherited();
    let mut leaked = 0;
    let found = findings(options, |region| leaked = region.alloc(layout(8, 8)).unwrap().addr().get());
    assert_eq!(found, [Finding::Leak { item: leaked, size: 8 }]);
}
