//! Items that begin with a value.

use super::geometry::Geometry;
use super::{Region, RegionError};
use core::alloc::Layout;
use core::ptr::NonNull;
use core::slice;

impl<const STRIDE: usize> Region<STRIDE> {
    /// Allocates an item of zeroes. Copies that are zero already are not written.
    ///
    /// # Errors
    ///
    /// [`RegionError`].
    pub fn alloc_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, RegionError> {
        let (item, is_fresh) = self.take(layout)?;
        if !is_fresh {
            fill(item, layout.size(), self.geometry(), zero);
        }
        Ok(item)
    }

    /// Allocates an item of which each copy begins with `value`, followed by zeroes. Copies that are so already are not
    /// written; with [`RegionOptions::copy_on_write`](super::RegionOptions::copy_on_write) all those are that no CPU has
    /// written the page of.
    ///
    /// # Errors
    ///
    /// [`RegionError`]; [`RegionError::TooLarge`] if `value` is longer than the layout.
    pub fn alloc_copied(&self, layout: Layout, value: &[u8]) -> Result<NonNull<u8>, RegionError> {
        if value.len() > layout.size() {
            return Err(RegionError::TooLarge);
        }
        let item = self.alloc_zeroed(layout)?;
        fill(item, value.len(), self.geometry(), |copy| {
            if copy != value {
                copy.copy_from_slice(value);
            }
        });
        Ok(item)
    }

    /// Allocates an item and has `init` called with each CPU number below [`copies`](Self::copies) and that CPU's copy, which
    /// has the layout's size, and first holds anything, as with [`alloc`](Self::alloc).
    ///
    /// # Errors
    ///
    /// [`RegionError`].
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::percpu::Region;
    /// use std::alloc::Layout;
    ///
    /// let region: Region = Region::new();
    /// // SAFETY: the copy is one of a u64, which nobody else has yet.
    /// let init = |cpu, copy: std::ptr::NonNull<u8>| unsafe { copy.cast::<u64>().write(cpu as u64) };
    /// let item = region.alloc_init(Layout::new::<u64>(), init)?;
    /// # Ok::<(), rseq_core::percpu::RegionError>(())
    /// ```
    pub fn alloc_init(
        &self,
        layout: Layout,
        mut init: impl FnMut(usize, NonNull<u8>),
    ) -> Result<NonNull<u8>, RegionError> {
        let item = self.alloc(layout)?;
        self.geometry().copies_of(item).enumerate().for_each(|(cpu, copy)| init(cpu, copy));
        Ok(item)
    }
}

/// Sets the first `len` bytes of each copy of an item that nobody uses; first those of the template, which untouched copies
/// then have too.
fn fill(item: NonNull<u8>, len: usize, geometry: Geometry, mut set: impl FnMut(&mut [u8])) {
    for copy in geometry.template_of(item).into_iter().chain(geometry.copies_of(item)) {
        // SAFETY: `len` bytes of an item's copy, which are initialised, as all memory of a range is, and which nobody else
        // uses yet.
        set(unsafe { slice::from_raw_parts_mut(copy.as_ptr(), len) });
    }
}

fn zero(copy: &mut [u8]) {
    const ZEROES: [u8; 256] = [0; 256];
    if copy.chunks(ZEROES.len()).any(|chunk| *chunk != ZEROES[..chunk.len()]) {
        copy.fill(0);
    }
}
