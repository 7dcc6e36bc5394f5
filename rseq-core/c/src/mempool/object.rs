//! Where attributes, pools and sets are.

use core::alloc::Layout;
use core::ptr::NonNull;
use rseq_core::percpu::{DynRegion, RegionOptions, RegionShape};

/// Large and aligned enough for each kind of them.
const LAYOUT: Layout = match Layout::from_size_align(1 << 10, 1 << 10) {
    Ok(layout) => layout,
    Err(_) => unreachable!(),
};

static OBJECTS: DynRegion = DynRegion::new(RegionShape::new(1 << 16, 1, LAYOUT).unwrap(), RegionOptions::new());

/// A new place for a `T`, which nothing was written to; None without memory.
pub(super) fn place<T>() -> Option<NonNull<T>> {
    const { assert!(size_of::<T>() <= LAYOUT.size() && align_of::<T>() <= LAYOUT.align()) };
    OBJECTS.alloc().ok().map(NonNull::cast)
}

/// A new object; None without memory.
pub(super) fn make<T>(value: T) -> Option<NonNull<T>> {
    let object = place()?;
    // SAFETY: the place is as large and as aligned as `T`, and nobody else has it.
    unsafe { object.write(value) };
    Some(object)
}

/// Drops an object and gives up its place.
///
/// # Safety
///
/// [`make`] returned it, or [`place`] did and it was written since. It is not used any more.
pub(super) unsafe fn unmake<T>(object: NonNull<T>) {
    // SAFETY: the caller's contract.
    unsafe {
        object.drop_in_place();
        OBJECTS.free(object.cast());
    }
}
