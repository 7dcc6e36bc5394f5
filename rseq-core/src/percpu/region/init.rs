//! Allocating items with initial contents.

use super::arena::Arena;
use super::error::RegionError;
use super::geometry::Geometry;
use super::item_size::Size;
use super::shape::RegionShape;
use core::ops::Range;
use core::ptr::NonNull;
use core::slice;

impl Arena {
    pub(super) fn alloc_zeroed(&self, size: Size, shape: RegionShape) -> Result<NonNull<u8>, RegionError> {
        self.alloc_copied(size, &[], shape)
    }

    pub(super) fn alloc_copied(
        &self,
        size: Size,
        value: &[u8],
        shape: RegionShape,
    ) -> Result<NonNull<u8>, RegionError> {
        if value.len() > size.layout.size() {
            return Err(RegionError::TooLarge);
        }
        let (item, is_fresh) = self.take(size, &shape)?;
        let geometry = self.geometry(shape);
        // The parent may change its template at any time, so that all copies must be written.
        let is_parents = geometry.has_parents_template(item);
        if !is_fresh || is_parents || self.options.init.is_some() {
            fill(item, value.len()..size.layout.size(), geometry, |copy| zero(copy, is_parents));
        }
        fill(item, 0..value.len(), geometry, |copy| {
            if is_parents || copy != value {
                copy.copy_from_slice(value);
            }
        });
        Ok(item)
    }
}

/// Sets bytes in the template, if there is one, and then in each copy of an item that is not yet in use. Copies that
/// have not been written share the pages of the template.
fn fill(item: NonNull<u8>, bytes: Range<usize>, geometry: Geometry, mut set: impl FnMut(&mut [u8])) {
    if bytes.is_empty() {
        return;
    }
    for copy in geometry.template_of(item).into_iter().chain(geometry.copies_of(item)) {
        // SAFETY: the callers pass bytes within the item's size, so that they lie in the copy. All memory of a range is
        // initialised. The item was allocated just now, so that nothing else uses its copies.
        set(unsafe { slice::from_raw_parts_mut(copy.as_ptr().byte_add(bytes.start), bytes.len()) });
    }
}

/// Zeroes a copy, if it is not zero or if `always` is set.
fn zero(copy: &mut [u8], always: bool) {
    const ZEROES: [u8; 256] = [0; 256];
    if always || copy.chunks(ZEROES.len()).any(|chunk| *chunk != ZEROES[..chunk.len()]) {
        copy.fill(0);
    }
}
