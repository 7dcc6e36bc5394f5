//! Regions in child processes.

use super::*;
use crate::sys::{self, in_child, in_limited_child};

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
        let child = in_limited_child(|| {
            let are = |items: &[NonNull<u8>]| items.iter().all(|&item| is(&region, item, &[0; 24]));
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

fn child_can_allocate(region: &Region<SMALL>) -> bool {
    let layout = layout(64, 8);
    let child = in_limited_child(|| {
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
        return skipped("sections or their fence are off");
    };
    // SAFETY: there is a CPU 0.
    let stack = unsafe { stacks.of(0) };
    let is_open = region.arena.lists.with(|lists| {
        lists.begin_drain(stack, 0, class);
        let child = in_limited_child(|| {
            let closed = stack.is_closed();
            let _ = (0..200).map(|_| region.alloc(layout)).filter(Result::is_ok).count();
            u8::from(closed && !stack.is_closed())
        });
        lists.open(stack, 0, true);
        child
    });
    assert_eq!(is_open, Ok(Some(1)));
    assert!(!stack.is_closed());
}
