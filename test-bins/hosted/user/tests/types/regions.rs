//! Memory with a copy for each CPU, allocated in items.

use crate::{THREADS, in_threads};
use rseq_core::ops::librseq::load_add_store;
use rseq_core::percpu::{DynRegion, Region, RegionOptions, RegionShape};
use rseq_core::{Ambient, ensure_registered};
use std::alloc::Layout;
use std::ptr::NonNull;

#[test]
fn a_region() {
    static REGION: Region = Region::new();
    in_threads(|number| {
        let layout = Layout::new::<u64>();
        let items: Vec<_> = (0..100).map(|_| REGION.alloc_zeroed(layout).unwrap()).collect();
        for &item in &items {
            for cpu in 0..REGION.copies() {
                // SAFETY: a copy of an item of this size, which is this thread's.
                unsafe {
                    let copy = REGION.copy_of(item, cpu).cast::<u64>();
                    assert_eq!(copy.read(), 0);
                    copy.write(number as u64);
                }
            }
        }
        // SAFETY: they were allocated with this layout, and are not used any more.
        items.into_iter().for_each(|item| unsafe { REGION.free(item, layout) });
    });
    let item = REGION.alloc_copied(Layout::from_size_align(16, 16).unwrap(), b"sixteen").unwrap();
    // SAFETY: as above.
    let last = unsafe { REGION.copy_of(item, REGION.copies() - 1).cast::<[u8; 16]>().read() };
    assert_eq!(&last, b"sixteen\0\0\0\0\0\0\0\0\0");
}

/// Counters in a region whose stride is known at run time: `count` of them, by operations that are given the copy.
fn counters_in(region: &DynRegion, count: usize) {
    struct Items(Vec<NonNull<u8>>);
    // SAFETY: addresses in memory that threads share.
    unsafe impl Sync for Items {}

    let items = &Items((0..count).map(|_| region.alloc_zeroed().unwrap()).collect());
    in_threads(|_| {
        ensure_registered().unwrap();
        let token = Ambient::token();
        for &item in &{ items }.0 {
            loop {
                let cpu = token.cpu_id_start() as usize;
                let copy = region.copy_of(item, cpu).cast::<usize>();
                // SAFETY: a word of the item's copy for a possible CPU, which only these sections write.
                if unsafe { load_add_store(token, cpu, copy.as_ptr(), 3) }.is_ok() {
                    break;
                }
            }
        }
    });
    for &item in &items.0 {
        let copies = (0..region.shape().copies()).map(|cpu| region.copy_of(item, cpu).cast::<usize>());
        // SAFETY: words of the item, whose threads are gone.
        assert_eq!(copies.map(|copy| unsafe { copy.read() }).sum::<usize>(), 3 * THREADS);
        // SAFETY: it was allocated above, and is not used any more.
        unsafe { region.free(item) };
    }
}

#[test]
fn a_region_whose_stride_is_chosen_at_run_time() {
    if let Err(cause) = ensure_registered() {
        return println!("skipped, as sections are off: {cause}");
    }
    // More items than a range of the smaller stride has.
    for stride in [4096, 1 << 16] {
        let shape = RegionShape::new(stride, 0, Layout::new::<usize>()).unwrap();
        counters_in(&DynRegion::new(shape, RegionOptions::new()), 2000);
    }
}

#[test]
fn a_region_copied_on_write() {
    static TABLES: Region = Region::with(RegionOptions::new().copy_on_write());
    let item = TABLES.alloc_copied(Layout::new::<[u32; 4]>(), &[1; 16]).unwrap();
    // SAFETY: a copy of an item of this size.
    let table = unsafe { TABLES.copy_of(item, 0).cast::<[u32; 4]>().read() };
    assert_eq!(table, [0x0101_0101; 4]);
}
