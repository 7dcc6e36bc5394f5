//! Items that begin with a value.

use super::arena::Arena;
use super::class::Size;
use super::geometry::Geometry;
use super::{RegionError, RegionShape};
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
        // What the copies show of a parent's template is not to be relied on.
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

/// Sets bytes of each copy of an item that nobody uses; first those of the template, which untouched copies then have
/// too.
fn fill(item: NonNull<u8>, bytes: Range<usize>, geometry: Geometry, mut set: impl FnMut(&mut [u8])) {
    if bytes.is_empty() {
        return;
    }
    for copy in geometry.template_of(item).into_iter().chain(geometry.copies_of(item)) {
        // SAFETY: bytes of an item's copy, which are initialised, as all memory of a range is, and which nobody else
        // uses yet.
        set(unsafe { slice::from_raw_parts_mut(copy.as_ptr().byte_add(bytes.start), bytes.len()) });
    }
}

/// Zeroes a copy: always, or if it is not zero.
fn zero(copy: &mut [u8], always: bool) {
    const ZEROES: [u8; 256] = [0; 256];
    if always || copy.chunks(ZEROES.len()).any(|chunk| *chunk != ZEROES[..chunk.len()]) {
        copy.fill(0);
    }
}
