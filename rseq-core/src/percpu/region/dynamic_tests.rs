//! Regions of sizes that are chosen at run time, and the options that are of use to other allocators.

extern crate std;

use super::*;
use crate::skipped::skipped;
use crate::sys::{Errno, in_child, page_size};
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::vec::Vec;

const STRIDE: usize = 1 << 16;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

fn sized(size: usize, copies: usize, options: RegionOptions) -> DynRegion {
    DynRegion::new(RegionShape::new(STRIDE, copies, layout(size)).unwrap(), options)
}

fn region(copies: usize, options: RegionOptions) -> DynRegion {
    sized(64, copies, options)
}

fn word<'w>(region: &DynRegion, item: NonNull<u8>, cpu: usize) -> &'w mut usize {
    // SAFETY: a copy of an item of a word or more, which only the test has.
    unsafe { region.copy_of(item, cpu).cast().as_mut() }
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    let is_some = |stride, copies| RegionShape::new(stride, copies, layout(64)).is_some();
    assert!(RegionShape::new(1 << 16, 1, layout((1 << 16) + 8)).is_none());
    assert!(is_some(4096, 1) && is_some(1 << 22, 1024) && is_some(1 << 16, 0));
    for (stride, copies) in [(0, 1), (2048, 1), (4097, 1), (1 << 16, usize::MAX), (1 << (usize::BITS - 1), 0)] {
        assert!(!is_some(stride, copies), "{stride} {copies}");
    }
}

#[test]
fn items_have_as_many_copies_as_were_asked_for() {
    for (copies, options) in [(1, RegionOptions::new()), (100, RegionOptions::new().copy_on_write())] {
        let region = region(copies, options);
        let item = region.alloc_copied(&7usize.to_ne_bytes()).unwrap();
        assert!((0..copies).all(|cpu| *word(&region, item, cpu) == 7));
        let address = item.addr().get();
        assert!(region.contains(address) && region.contains(address + copies * STRIDE - STRIDE));
        assert!(!region.contains(address + copies * STRIDE) && !region.contains(address - STRIDE));
        assert_eq!(region.shape().copies(), copies);
        // SAFETY: it was allocated above.
        unsafe { region.free(item) };
    }
    assert_eq!(region(0, RegionOptions::new()).shape().copies(), memory::slot_count());
}

#[test]
fn a_shape_is_printed_as_its_functions_return_it() {
    for copies in [0, 3] {
        let shape = RegionShape::new(STRIDE, copies, layout(64)).unwrap();
        let printed = std::format!("{shape:?}");
        let values = std::format!("stride: {}, copies: {} }}", shape.stride(), shape.copies());
        assert!(printed.contains(&std::format!("layout: {:?}, {values}", shape.layout())), "{printed}");
    }
}

#[test]
fn an_item_leads_to_its_owner() {
    let owners = [1, 2, usize::MAX];
    for size in [8, 1000, STRIDE] {
        let regions = owners.map(|owner| sized(size, 2, RegionOptions::new().owner(owner)));
        for (region, owner) in regions.iter().zip(owners) {
            let item = region.alloc().unwrap();
            // SAFETY: an item of a region with an owner and this stride.
            assert_eq!(unsafe { DynRegion::owner_of(item, STRIDE) }, owner);
        }
    }
}

#[test]
fn no_more_ranges_are_mapped_than_allowed_and_every_item_of_them_is_found() {
    for most in 1..4 {
        let region = sized(1024, 1, RegionOptions::new().max_ranges(most));
        for _ in 0..3 {
            let items: Vec<_> = core::iter::from_fn(|| region.alloc().ok()).collect();
            let expected = most * STRIDE / 1024;
            // Without the fence, what other CPUs keep is not to be had.
            let is_all = crate::percpu::fence::fence(0).is_ok();
            assert!(items.len() == expected || !is_all && items.len() < expected, "{} of {expected}", items.len());
            assert_eq!(region.alloc(), Err(RegionError::NoMemory(Errno::ENOSPC)));
            // SAFETY: they were allocated above.
            items.into_iter().for_each(|item| unsafe { region.free(item) });
        }
    }
}

static STARTED: Mutex<Vec<(usize, usize, usize, usize)>> = Mutex::new(Vec::new());

#[test]
fn ranges_are_initialised_once_for_each_copy() {
    fn init(owner: usize, start: NonNull<u8>, len: usize, cpu: usize) -> Result<(), Errno> {
        STARTED.lock().unwrap().push((owner, start.addr().get(), len, cpu));
        // SAFETY: the region's memory, which is not used yet.
        unsafe { start.write_bytes(0x11, len) };
        if owner == 78 && cpu == 1 { Err(Errno::EPERM) } else { Ok(()) }
    }
    let region = |owner| region(3, RegionOptions::new().owner(owner).init_ranges(init));
    let good = region(77);
    good.reserve().unwrap();
    good.reserve().unwrap();
    let item = good.alloc().unwrap();
    let start = item.addr().get();
    assert_eq!(*word(&good, item, 2), usize::from_ne_bytes([0x11; size_of::<usize>()]));
    let zeroes = good.alloc_zeroed().unwrap();
    assert!((0..3).all(|cpu| *word(&good, zeroes, cpu) == 0));
    let expected: Vec<_> = (0..3).map(|cpu| (77, start + cpu * STRIDE, STRIDE, cpu)).collect();
    assert_eq!(core::mem::take(&mut *STARTED.lock().unwrap()), expected);

    let failing = region(78);
    assert_eq!(failing.reserve(), Err(RegionError::NotInitialized(Errno::EPERM)));
    let calls = core::mem::take(&mut *STARTED.lock().unwrap());
    assert_eq!(calls.len(), 2);
    assert!(!failing.contains(calls[0].1));
}

/// What is at an address: zeroes if nothing is mapped there. Each caller looks for bytes that no other memory has, as
/// another thread may have mapped memory there in the meantime.
fn found_at<const N: usize>(address: usize) -> [u8; N] {
    let mut found = [0; N];
    let _ = std::fs::File::open("/proc/self/mem").unwrap().read_at(&mut found, address as u64);
    found
}

#[test]
fn a_report_that_panics_while_a_region_is_dropped_leaves_nothing_mapped() {
    const MARK: [u8; 16] = *b"item that leaked";
    let region = region(3, RegionOptions::new().robust(|finding| panic!("{finding}")));
    let address = region.alloc_copied(&MARK).unwrap().addr().get();
    assert_eq!(found_at(address), MARK);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(region))).is_err());
    assert_ne!(found_at(address), MARK);
}

static PANICS: AtomicBool = AtomicBool::new(true);
static PANICKED_AT: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_panic_while_a_range_is_initialised_leaves_the_region_as_it_was() {
    const MARK: [u8; 16] = *b"range that panic";
    fn init(_: usize, start: NonNull<u8>, _: usize, cpu: usize) -> Result<(), Errno> {
        if PANICS.load(Ordering::Relaxed) && cpu == 1 {
            // SAFETY: the region's memory, which is not used yet, and larger than the mark.
            unsafe { start.cast().write(MARK) };
            PANICKED_AT.store(start.addr().get(), Ordering::Relaxed);
            panic!("for the test");
        }
        Ok(())
    }
    let region = region(3, RegionOptions::new().copy_on_write().init_ranges(init));
    let blocked = crate::sys::blocked_signals();
    let panicked = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| region.alloc())).is_err();
    assert!(panicked() && panicked());
    assert_eq!(crate::sys::blocked_signals(), blocked);
    let address = PANICKED_AT.load(Ordering::Relaxed);
    assert_ne!(found_at(address), MARK);
    // Another thread does not wait for the one that panicked.
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(!region.contains(address)));
    });
    PANICS.store(false, Ordering::Relaxed);
    let item = region.alloc_copied(&7usize.to_ne_bytes()).unwrap();
    assert!((0..3).all(|cpu| *word(&region, item, cpu) == 7));
}

#[test]
fn freed_items_hold_the_pattern_in_each_copy_and_in_the_template() {
    const PATTERN: usize = 0x1234_5678;
    for options in [RegionOptions::new(), RegionOptions::new().copy_on_write()] {
        let region = region(5, options.poison(PATTERN));
        let item = region.alloc_copied(&[1; 64]).unwrap();
        // SAFETY: it was allocated above, and lies in memory that stays mapped.
        unsafe { region.free(item) };
        let copies = if options.populate == options::Populate::CopyOnWrite { 6 } else { 5 };
        for (cpu, at) in (0..copies).flat_map(|cpu| [(cpu, 0), (cpu, 64 - size_of::<usize>())]) {
            // SAFETY: within the item that was freed.
            let place = unsafe { region.copy_of(item, cpu).byte_add(at) };
            // SAFETY: as above.
            assert_eq!(unsafe { place.cast::<usize>().read() }, PATTERN, "{cpu} {at}");
        }
    }
}

static FOUND: Mutex<Vec<(usize, Finding)>> = Mutex::new(Vec::new());

/// What a robust region found, with its owner.
fn found(owner: usize, options: RegionOptions, work: impl FnOnce(&DynRegion)) -> Vec<Finding> {
    let report = |owner, finding| FOUND.lock().unwrap().push((owner, finding));
    let region = region(3, options.owner(owner).robust_for_owner(report));
    work(&region);
    drop(region);
    let mut found = FOUND.lock().unwrap();
    found.extract_if(.., |(of, _)| *of == owner).map(|(_, finding)| finding).collect()
}

/// The word of the list of free items that leads on from an item.
fn link<'w>(region: &DynRegion, item: NonNull<u8>) -> &'w mut usize {
    word(region, item, region.shape().copies())
}

#[test]
fn a_list_that_was_overwritten_is_found_when_it_is_used_and_when_the_region_is_dropped() {
    let mut first = 0;
    let garbage = [0usize, 7, 0x1000, usize::MAX & !7];
    for (owner, garbage) in (100..).zip(garbage) {
        let found = found(owner, RegionOptions::new(), |region| {
            let item = region.alloc().unwrap();
            first = item.addr().get();
            // SAFETY: it was allocated above.
            unsafe { region.free(item) };
            *link(region, item) = garbage;
        });
        assert_eq!(found, [Finding::CorruptList { item: first }], "{garbage:#x}");
    }
    let found = found(99, RegionOptions::new(), |region| {
        let item = region.alloc().unwrap();
        let outside = item.addr().get() + 2 * STRIDE;
        // SAFETY: it was allocated above.
        unsafe { region.free(item) };
        // It looks like a free item, and leads out of the range.
        *link(region, item) = outside | geometry::FREE;
        first = outside;
        let items = [region.alloc().unwrap(), region.alloc().unwrap()];
        assert_ne!(items[0], items[1]);
        // SAFETY: they were allocated above.
        items.into_iter().for_each(|item| unsafe { region.free(item) });
    });
    assert_eq!(found, [Finding::CorruptList { item: first }]);
}

#[test]
fn a_list_that_leads_back_to_itself_ends() {
    let mut address = 0;
    let found = found(200, RegionOptions::new(), |region| {
        let item = region.alloc().unwrap();
        address = item.addr().get();
        // SAFETY: it was allocated above.
        unsafe { region.free(item) };
        *link(region, item) = address | geometry::FREE;
    });
    assert_eq!(found, [Finding::CorruptList { item: address }]);
}

#[test]
fn a_pattern_of_the_programs_is_looked_for_and_a_write_to_the_template_is_found() {
    for (owner, pattern) in [(300, 0), (301, 0x55aa)] {
        let mut address = 0;
        let options = RegionOptions::new().copy_on_write().poison(pattern);
        let found = found(owner, options, |region| {
            let item = region.alloc_copied(&[1; 64]).unwrap();
            address = item.addr().get();
            (0..3).for_each(|cpu| *word(region, item, cpu) = cpu);
            // SAFETY: it was allocated above.
            unsafe { region.free(item) };
            // The copies have pages of their own, so that only the template changes.
            *word(region, item, 3) = 99;
        });
        assert_eq!(found, [Finding::WriteAfterFree { item: address, cpu: 3 }]);
    }
}

/// The number of this process's mappings that begin in a range.
fn mappings(start: usize, len: usize) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let first = |line: &str| line.split('-').next().and_then(|text| usize::from_str_radix(text, 16).ok());
    maps.lines().filter_map(first).filter(|first| (start..start + len).contains(first)).count()
}

#[test]
fn children_do_not_have_what_is_not_inherited_and_may_drop_it() {
    static LEFT: AtomicUsize = AtomicUsize::new(usize::MAX);
    static IS_CHILD: AtomicBool = AtomicBool::new(false);
    let report = |finding| match IS_CHILD.load(Ordering::Relaxed) {
        true => crate::sys::exit(9),
        false => panic!("{finding}"),
    };
    for (owner, options) in [(0, RegionOptions::new()), (5, RegionOptions::new().copy_on_write())] {
        let mut region = Some(region(2, options.not_inherited().owner(owner).robust(report)));
        let item = region.as_ref().unwrap().alloc_zeroed().unwrap();
        let (lead, len) = (item.addr().get() - STRIDE, 2 * STRIDE + STRIDE);
        assert!(mappings(lead, len) > 1);
        let child = in_child(|| {
            IS_CHILD.store(true, Ordering::Relaxed);
            let inherited = mappings(lead, len);
            // The item is leaked, which would be found if the child looked for it.
            drop(region.take());
            LEFT.store(mappings(lead, len), Ordering::Relaxed);
            1 + u8::from(inherited == 1) + 2 * u8::from(LEFT.load(Ordering::Relaxed) == 0)
        });
        let region = region.unwrap();
        let kept = *word(&region, item, 1);
        // SAFETY: it was allocated above.
        unsafe { region.free(item) };
        assert_eq!((child, kept), (Ok(Some(4)), 0), "{options:?}");
    }
}

#[test]
fn pages_move_to_a_node_that_is_there() {
    const MPOL_MF_MOVE: u32 = 2;
    let region = sized(STRIDE, 2, RegionOptions::new());
    let item = region.alloc_zeroed().unwrap();
    *word(&region, item, 0) = 77;
    let moved = move_to_node_of(0, item, STRIDE, MPOL_MF_MOVE);
    assert_eq!(*word(&region, item, 0), 77);
    match moved {
        Err(Errno::ENOSYS) => skipped("this kernel has no NUMA"),
        // The kernel lets a process move its own pages.
        Err(Errno::EPERM) => return skipped("a filter refuses move_pages(2), as in containers"),
        moved => assert_eq!(moved, Ok(())),
    }
    let unknown = move_to_node_of(0, item, page_size(), u32::MAX);
    assert!(matches!(unknown, Err(Errno::EINVAL | Errno::ENOSYS)), "{unknown:?}");
    let no_cpu = move_to_node_of(u32::MAX, item, page_size(), MPOL_MF_MOVE);
    assert!(matches!(no_cpu, Err(Errno::EINVAL | Errno::ENOSYS)), "{no_cpu:?}");
}
