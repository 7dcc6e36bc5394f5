//! Memory for attributes, pools and sets.

use core::alloc::Layout;
use core::ptr::NonNull;
use rseq_core::percpu::{DynRegion, RegionOptions, RegionShape};

/// The layout of an object of any of these types.
const LAYOUT: Layout = match Layout::from_size_align(1 << 10, 1 << 10) {
    Ok(layout) => layout,
    Err(_) => unreachable!(),
};

static OBJECTS: DynRegion = DynRegion::new(RegionShape::new(1 << 16, 1, LAYOUT).unwrap(), RegionOptions::new());

/// Allocates memory for a `T`, with unspecified contents; None without memory.
pub(super) fn place<T>() -> Option<NonNull<T>> {
    const { assert!(size_of::<T>() <= LAYOUT.size() && align_of::<T>() <= LAYOUT.align()) };
    OBJECTS.alloc().ok().map(NonNull::cast)
}

/// Allocates an object; None without memory.
pub(super) fn make<T>(value: T) -> Option<NonNull<T>> {
    let object = place()?;
    // SAFETY: `place` checks that the memory has at least the size and alignment of `T`. It was allocated just now, so
    // nothing else uses it.
    unsafe { object.write(value) };
    Some(object)
}

/// Drops an object and frees its memory.
///
/// # Safety
///
/// [`make`] returned it, or [`place`] did and it has been written since. It is no longer used.
pub(super) unsafe fn unmake<T>(object: NonNull<T>) {
    // SAFETY: the object is initialised, as the caller guarantees, and aligned. `OBJECTS` allocated its memory, in
    // `place`, and it is no longer used.
    unsafe {
        object.drop_in_place();
        OBJECTS.free(object.cast());
    }
}
