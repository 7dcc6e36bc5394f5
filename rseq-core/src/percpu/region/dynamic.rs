//! A region whose sizes are chosen at run time.

use super::arena::Arena;
use super::error::RegionError;
use super::geometry;
use super::options::RegionOptions;
use super::shape::RegionShape;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

/// A [`Region`](super::Region) of items of one layout, whose stride and number of copies are chosen at run time.
///
/// It is as fast as a `Region`. It is for allocators that get these sizes from their own users, such as librseq's pools
/// in C: with [`RegionOptions::owner`], an item's address and the stride are enough to find the allocator.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::{DynRegion, RegionOptions, RegionShape};
/// use std::alloc::Layout;
///
/// let shape = RegionShape::new(1 << 13, 4, Layout::new::<u64>()).expect("a power of two");
/// let region = DynRegion::new(shape, RegionOptions::new().owner(0x1000));
/// let item = region.alloc_copied(&7u64.to_ne_bytes())?;
/// // SAFETY: the last copy of a u64, which is only used here.
/// assert_eq!(unsafe { region.copy_of(item, 3).cast::<u64>().read() }, 7);
/// // SAFETY: an item of a region with this stride, which has an owner.
/// assert_eq!(unsafe { DynRegion::owner_of(item, 1 << 13) }, 0x1000);
/// // SAFETY: it was allocated above, and is not used any more.
/// unsafe { region.free(item) };
/// # Ok::<(), rseq_core::percpu::RegionError>(())
/// ```
///
/// [`this_cpu`](crate::ops::this_cpu)'s operations take the stride as a constant. With one that is chosen at run time,
/// [`librseq`](crate::ops::librseq)'s serve, of which the caller picks the copy. In a thread that is not registered,
/// they fail each time:
///
/// ```
/// use rseq_core::ops::librseq::load_add_store;
/// use rseq_core::percpu::{DynRegion, RegionOptions, RegionShape};
/// use rseq_core::{Ambient, Cause, ensure_registered};
/// use std::alloc::Layout;
/// use std::ptr::NonNull;
///
/// /// # Safety
/// ///
/// /// `item` is an item of the region: a word, which is written by sections by CPU only.
/// unsafe fn add(region: &DynRegion, item: NonNull<u8>, count: usize) -> Result<(), Cause> {
///     ensure_registered()?;
///     let token = Ambient::token();
///     loop {
///         let cpu = token.cpu_id_start() as usize;
///         let copy = region.copy_of(item, cpu).cast::<usize>();
///         // SAFETY: the copy for a possible CPU, by the caller's promise a word.
///         if unsafe { load_add_store(token, cpu, copy.as_ptr(), count) }.is_ok() {
///             return Ok(());
///         }
///     }
/// }
///
/// // A copy for each CPU number.
/// let shape = RegionShape::new(1 << 13, 0, Layout::new::<usize>()).expect("a power of two");
/// let region = DynRegion::new(shape, RegionOptions::new());
/// let item = region.alloc_zeroed()?;
/// // SAFETY: a word of the region, which nothing else writes.
/// if unsafe { add(&region, item, 7) }.is_ok() {
///     let copies = (0..shape.copies()).map(|cpu| region.copy_of(item, cpu).cast::<usize>());
///     // SAFETY: each is a word of the item, which no other thread uses.
///     assert_eq!(copies.map(|copy| unsafe { copy.read() }).sum::<usize>(), 7);
/// }
/// # Ok::<(), rseq_core::percpu::RegionError>(())
/// ```
pub struct DynRegion {
    arena: Arena,
    shape: RegionShape,
}

impl DynRegion {
    /// A region without memory. It maps some when items are allocated.
    pub const fn new(shape: RegionShape, options: RegionOptions) -> Self {
        Self { arena: Arena::new(options), shape }
    }

    /// Its sizes.
    pub const fn shape(&self) -> RegionShape {
        self.shape
    }

    /// A copy. Only pointer arithmetic, as with [`Region::copy_of`](super::Region::copy_of).
    #[inline]
    pub fn copy_of(&self, item: NonNull<u8>, cpu: usize) -> NonNull<u8> {
        let copy = item.as_ptr().wrapping_byte_add(cpu.wrapping_mul(self.shape.stride));
        NonNull::new(copy).unwrap_or(item)
    }

    /// Whether an address lies in memory that the region's ranges have for copies of items.
    pub fn contains(&self, address: usize) -> bool {
        self.arena.contains(address, self.shape)
    }

    /// The [owner](RegionOptions::owner) of an item's region, in two instructions.
    ///
    /// # Safety
    ///
    /// `item` is the address of an item, or lies in its copy for CPU 0. The region has this stride, maps its own
    /// memory, and has an owner.
    #[inline]
    pub unsafe fn owner_of(item: NonNull<u8>, stride: usize) -> usize {
        let range = item.as_ptr().expose_provenance() & !(stride - 1);
        // SAFETY: copies for CPU 0 lie between a multiple of the stride, where the range begins, and the next one, so
        // `range` is that range; by the caller's contract it has an owner.
        unsafe { geometry::owner(range) }.load(Ordering::Relaxed)
    }

    /// Maps the first range, unless there is one.
    ///
    /// # Errors
    ///
    /// [`RegionError`].
    pub fn reserve(&self) -> Result<(), RegionError> {
        self.arena.reserve(self.shape)
    }

    /// Allocates an item. The contents of its copies are unspecified, and may be those of a freed item.
    ///
    /// # Errors
    ///
    /// [`RegionError`].
    #[inline]
    pub fn alloc(&self) -> Result<NonNull<u8>, RegionError> {
        self.arena.alloc(self.shape.size, &self.shape)
    }

    /// Allocates an item of zeroes. Copies that are known to be zero are not written.
    ///
    /// # Errors
    ///
    /// [`RegionError`].
    pub fn alloc_zeroed(&self) -> Result<NonNull<u8>, RegionError> {
        self.arena.alloc_zeroed(self.shape.size, self.shape)
    }

    /// Allocates an item whose copies begin with `value`, followed by zeroes. Copies that are known to have these
    /// contents are not written.
    ///
    /// # Errors
    ///
    /// [`RegionError`]; [`RegionError::TooLarge`] if `value` is longer than an item.
    pub fn alloc_copied(&self, value: &[u8]) -> Result<NonNull<u8>, RegionError> {
        self.arena.alloc_copied(self.shape.size, value, self.shape)
    }

    /// Frees an item.
    ///
    /// # Safety
    ///
    /// This region allocated the item, and the item is no longer used.
    #[inline]
    pub unsafe fn free(&self, item: NonNull<u8>) {
        // SAFETY: the caller's contract.
        unsafe {
            self.arena.fill_freed(item, self.shape.size.class, &self.shape);
            self.arena.free(item, self.shape.size, &self.shape);
        }
    }
}

impl Drop for DynRegion {
    fn drop(&mut self) {
        // SAFETY: this region has only one shape. `&mut self` shows that no operation is running, and with the region
        // its items end.
        unsafe { self.arena.clear(self.shape) };
    }
}

impl fmt::Debug for DynRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.arena.options;
        f.debug_struct("DynRegion").field("shape", &self.shape).field("options", options).finish_non_exhaustive()
    }
}
