//! What takes a look inside, or a child of this process.

extern crate std;

use super::*;
use crate::sys::{self, in_child};
use crate::{Ambient, ensure_registered};
use core::ptr;
use std::boxed::Box;
use std::format;
use std::string::String;
use std::sync::Mutex;
use std::vec::Vec;

const SMALL: usize = 4096;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

fn of(address: usize) -> NonNull<u8> {
    NonNull::new(ptr::with_exposed_provenance_mut(address)).unwrap()
}

/// Says past the harness, which shows the output of failed tests only, that a test did not run.
fn skipped(why: &dyn fmt::Display) {
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: {why}\n"));
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
    let region = Region::<{ 1 << 16 }>::new();
    let layout = layout(1 << 16, 1);
    let item = region.alloc_zeroed(layout).unwrap();
    // A page of the region's own is in the same mapping.
    let before = own_kilobytes(&region, item);
    assert!((1..=64).contains(&before), "{before} KiB");
    // SAFETY: the last copy of the item.
    unsafe { region.copy_of(item, last()).write(8) };
    let own = own_kilobytes(&region, item) - before;
    assert!((1..=64).contains(&own), "{own} KiB of one page");
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

/// In a child, where no other thread maps memory meanwhile.
#[test]
fn a_region_that_is_dropped_unmaps_its_ranges() {
    let child = in_child(|| {
        let region = Region::<SMALL>::new();
        let layout = layout(SMALL, 1);
        let items: [_; 5] = core::array::from_fn(|_| region.alloc(layout).unwrap());
        let before = items.iter().all(|item| sys::memory::is_mapped(*item, SMALL));
        drop(region);
        u8::from(before) + 2 * u8::from(!items.iter().any(|item| sys::memory::is_mapped(*item, SMALL)))
    });
    assert_eq!(child, Ok(Some(3)));
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

/// The highest CPU number that has copies.
fn last() -> usize {
    memory::slot_count() - 1
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
fn children_share_the_copies_of_a_shared_region() {
    // SAFETY: the child neither allocates nor frees.
    let region = Region::<{ 1 << 16 }>::with(unsafe { RegionOptions::new().shared() });
    let item = region.alloc_zeroed(Layout::new::<u32>()).unwrap().cast::<u32>();
    let ended = in_child(|| {
        // SAFETY: this process's only thread that has the item waits for the child.
        unsafe { region.copy_of(item.cast(), last()).cast::<u32>().write_volatile(77) };
        1
    });
    assert_eq!(ended, Ok(Some(1)));
    // SAFETY: the child has ended.
    assert_eq!(unsafe { region.copy_of(item.cast(), last()).cast::<u32>().read_volatile() }, 77);
}

/// As many items as `N`, all of whose copies are `value`, of which a process has not written any.
fn allocate<const N: usize>(region: &Region<SMALL>, value: &[u8]) -> [NonNull<u8>; N] {
    core::array::from_fn(|_| region.alloc_copied(layout(value.len(), 8), value).unwrap())
}

#[test]
fn what_a_child_allocates_is_not_in_the_template_of_its_parent() {
    for options in [RegionOptions::new(), RegionOptions::new().robust(|finding| panic!("{finding}"))] {
        let region = Region::with(options.copy_on_write());
        let [before] = allocate(&region, &[1; 24]);
        let child = in_child(|| {
            let items: [_; 64] = allocate(&region, &[9; 24]);
            u8::from(items.iter().all(|&item| is(&region, item, &[9; 24])) && is(&region, before, &[1; 24]))
        });
        // Fresh items are not zeroed: they show the template.
        let items: [_; 64] = core::array::from_fn(|_| region.alloc_zeroed(layout(24, 8)).unwrap());
        assert!(items.iter().chain([&before]).all(|&item| is(&region, item, &[u8::from(item == before); 24])));
        // SAFETY: they were allocated above.
        items.into_iter().chain([before]).for_each(|item| unsafe { region.free(item, layout(24, 8)) });
        assert_eq!(child, Ok(Some(1)));
    }
}

#[test]
fn what_a_parent_allocates_later_is_not_in_the_items_of_its_child() {
    use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
    // SAFETY: the child neither allocates nor frees in it.
    let shared = Region::<SMALL>::with(unsafe { RegionOptions::new().shared() });
    let step = shared.alloc_zeroed(Layout::new::<AtomicU32>()).unwrap().cast::<AtomicU32>();
    // SAFETY: zeroes are one, and the region is there until both are done.
    let step = unsafe { step.as_ref() };
    let wait_for = |wanted| {
        while step.load(SeqCst) != wanted {
            sys::yield_now()
        }
    };
    let region = Region::with(RegionOptions::new().copy_on_write());
    let [_] = allocate(&region, &[1; 24]);
    let child = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for(1);
            let _: [_; 64] = allocate(&region, &[7; 24]);
            step.store(2, SeqCst);
        });
        let child = in_child(|| {
            let are = |items: &[NonNull<u8>]| limit_time() && items.iter().all(|&item| is(&region, item, &[0; 24]));
            let items: [_; 64] = allocate(&region, &[0; 24]);
            let before = are(&items);
            step.store(1, SeqCst);
            wait_for(2);
            u8::from(before && are(&items))
        });
        step.store(1, SeqCst);
        child
    });
    assert_eq!(child, Ok(Some(1)));
}

/// Ends this process with SIGKILL, which is never blocked, when it has run for a second.
fn limit_time() -> bool {
    const RLIMIT_CPU: usize = 0;
    let limits = [1u64, 1];
    let args = [0, RLIMIT_CPU, limits.as_ptr() as usize, 0, 0, 0];
    // SAFETY: reads two u64.
    unsafe { sys::syscall(linux_raw_sys::general::__NR_prlimit64, args) }.is_ok()
}

fn child_can_allocate(region: &Region<SMALL>) -> bool {
    let layout = layout(64, 8);
    let child = in_child(|| {
        if !limit_time() {
            return 2;
        }
        let items: [_; 100] = core::array::from_fn(|_| region.alloc_zeroed(layout).ok());
        let all = items.iter().all(Option::is_some);
        // SAFETY: they were allocated above.
        items.into_iter().flatten().for_each(|item| unsafe { region.free(item, layout) });
        u8::from(all)
    });
    child == Ok(Some(1))
}

#[test]
fn a_child_allocates_although_a_thread_of_its_parent_held_the_lock() {
    let region = Region::<SMALL>::new();
    region.alloc(layout(8, 8)).unwrap();
    // As a child would find it that another thread forks.
    assert!(region.arena.lists.with(|_| child_can_allocate(&region)));
    assert!(child_can_allocate(&region));
}

#[test]
fn a_child_opens_the_stack_that_its_parent_had_closed() {
    let region = Region::<SMALL>::new();
    let (layout, class) = (layout(64, 8), 6);
    region.alloc(layout).unwrap();
    let Some(stacks) = region.arena.stacks(class).filter(|_| crate::percpu::fence::fence(0).is_ok()) else {
        return skipped(&"sections or their fence are off");
    };
    // SAFETY: there is a CPU 0.
    let stack = unsafe { stacks.of(0) };
    let is_open = region.arena.lists.with(|lists| {
        lists.begin_drain(stack, 0, class);
        let child = in_child(|| {
            let closed = stack.is_closed() && limit_time();
            let _ = (0..200).map(|_| region.alloc(layout)).filter(Result::is_ok).count();
            u8::from(closed && !stack.is_closed())
        });
        lists.open(stack, 0, true);
        child
    });
    assert_eq!(is_open, Ok(Some(1)));
    assert!(!stack.is_closed());
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
                None => skipped(&"no numa_maps, so only the calls were looked at"),
            }
        }
        Err(error) => {
            assert!(matches!(error, RegionError::NotBound(_)), "{error}");
            skipped(&error);
        }
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
