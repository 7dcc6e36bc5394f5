//! One item of the process's per-CPU memory, made at its first use.

use super::Region;
use super::memory::{self, STRIDE};
use crate::abi::CPU_ID_REGISTRATION_FAILED;
use crate::ambient::register;
use crate::sys::mappings;
use crate::{Ambient, ByCpu, Index, OutOfRange, Token};
use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::mem::forget;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// A `T` for each index by `K`, of zeroes at first.
pub(super) struct Copies<T, K> {
    /// The first copy; null before the first use.
    made: AtomicPtr<T>,
    /// How many copies there are, kept here for sections because [`memory`] is further away. It may still be 0 after
    /// `made` is set.
    len: AtomicUsize,
    kind: PhantomData<K>,
}

// SAFETY: through `&Copies` threads get only shared references to a `T`, for which `T: Sync` is enough.
unsafe impl<T: Sync, K> Sync for Copies<T, K> {}
// SAFETY: as above. Dropping it in another thread drops no `T`: copies have no destructor.
unsafe impl<T: Sync, K> Send for Copies<T, K> {}

impl<T, K> Copies<T, K> {
    /// Whether copies are an item of the process's memory. Larger ones are a mapping.
    const IS_ITEM: bool = size_of::<T>() <= STRIDE && align_of::<T>() <= STRIDE;

    /// Bytes between two copies: [`STRIDE`], or a multiple of it for a larger `T`.
    pub(super) const SPACING: usize = if Self::IS_ITEM {
        STRIDE
    } else if size_of::<T>() > align_of::<T>() {
        size_of::<T>().next_multiple_of(STRIDE)
    } else {
        align_of::<T>()
    };

    /// Zeroes for as many copies. None without memory.
    fn allocate(region: &Region<STRIDE>, slots: usize) -> Option<Fresh<T, K>> {
        let memory = if Self::IS_ITEM {
            region.alloc_zeroed(Layout::new::<T>()).ok()?
        } else {
            let size = size_of_mapping(Self::SPACING, slots)?;
            let memory = mappings::map_aligned(0, size, align_of::<T>()).ok()?;
            // As in a region: a page, which is on one node, holds the copy of one CPU only.
            mappings::without_huge_pages(memory, size);
            memory
        };
        Some(Fresh { base: memory.cast(), slots, kind: PhantomData })
    }

    /// # Safety
    ///
    /// [`allocate`](Self::allocate) allocated the copies for this number, and they are no longer used.
    unsafe fn free(base: NonNull<T>, slots: usize) {
        if !Self::IS_ITEM {
            if let Some(size) = size_of_mapping(Self::SPACING, slots) {
                // SAFETY: by the caller's contract these bytes were mapped for the copies, and are no longer used.
                let _ = unsafe { mappings::unmap(base.cast(), size) };
            }
        } else if let Some((region, _)) = memory::region() {
            // SAFETY: `allocate` allocated it for this layout in this region, and by the caller's contract it is no
            // longer used.
            unsafe { region.free(base.cast(), Layout::new::<T>()) };
        }
    }
}

/// Bytes of a mapping for copies. None if no object can be so large.
fn size_of_mapping(spacing: usize, slots: usize) -> Option<usize> {
    spacing.checked_mul(slots).filter(|&size| size <= isize::MAX as usize)
}

/// Copies that only this thread has; dropping it frees them, after a panic of the program's function too.
struct Fresh<T, K> {
    base: NonNull<T>,
    slots: usize,
    kind: PhantomData<K>,
}

impl<T, K> Drop for Fresh<T, K> {
    fn drop(&mut self) {
        // SAFETY: they were allocated for this number of slots, and no other thread has seen them.
        unsafe { Copies::<T, K>::free(self.base, self.slots) };
    }
}

impl<T, K: Index> Copies<T, K> {
    /// Copies that lie [`STRIDE`] bytes apart.
    pub(super) const fn new() -> Self {
        const { assert!(Self::IS_ITEM, "a CPU's part of it is at most 64 KiB, or 8 KiB where a word has 32 bits") };
        Self::of_any_size()
    }

    /// Copies that lie [`SPACING`](Self::SPACING) bytes apart, for sections that are given the address of the copy.
    pub(super) const fn of_any_size() -> Self {
        const { assert!(!core::mem::needs_drop::<T>()) };
        Self { made: AtomicPtr::new(ptr::null_mut()), len: AtomicUsize::new(0), kind: PhantomData }
    }

    /// Runs a section on the slots of this item, with the address of the first one and their number; the slots lie
    /// [`SPACING`](Self::SPACING) bytes apart. Returns None if this thread's sections are off, or if it has no slot.
    /// The section then had no effect.
    #[inline]
    pub(super) fn run<R>(
        &self,
        mut section: impl FnMut(Token<'static, Ambient, K>, *mut T, usize) -> Result<R, OutOfRange>,
    ) -> Option<R> {
        let base = self.made.load(Ordering::Relaxed);
        if !base.is_null() && is_bound::<K>() {
            if let Ok(done) = section(token(), base, self.len.load(Ordering::Relaxed)) {
                return Some(done);
            }
        }
        self.run_first(section)
    }

    /// The fast path of [`run`](Self::run), which also returns None before the first use of an item or in a thread. For
    /// sections with so many operands that passing them on would cost.
    #[inline]
    pub(super) fn run_if_made<R, E>(
        &self,
        section: impl FnOnce(Token<'static, Ambient, K>, *mut T, usize) -> Result<R, E>,
    ) -> Option<R> {
        let base = self.made.load(Ordering::Relaxed);
        if base.is_null() || !is_bound::<K>() {
            None
        } else {
            section(token(), base, self.len.load(Ordering::Relaxed)).ok()
        }
    }

    /// Covers the first use of an item or in a thread, and threads that are not registered.
    #[cold]
    #[inline(never)]
    fn run_first<R>(
        &self,
        mut section: impl FnMut(Token<'static, Ambient, K>, *mut T, usize) -> Result<R, OutOfRange>,
    ) -> Option<R> {
        register().ok()?;
        let (base, slots) = self.make()?;
        loop {
            // The section that left does not say which index it had. If the present index has a slot, the thread has
            // moved.
            if !Ambient::token().is_registered() || token::<K>().slot() as usize >= slots {
                return None;
            }
            if let Ok(done) = section(token(), base.as_ptr(), slots) {
                return Some(done);
            }
        }
    }

    /// The first copy and the number of copies, which are made if there are none. None without memory, and for an index
    /// that the kernel does not maintain.
    #[inline]
    fn make(&self) -> Option<(NonNull<T>, usize)> {
        self.make_of(None)
    }

    /// Makes the copies from values of `init` if there are none. Returns None where `make` does, and in a thread that
    /// is not registered.
    #[inline]
    pub(super) fn init(&self, init: fn() -> T) -> Option<()> {
        if self.made.load(Ordering::Relaxed).is_null() { self.init_first(init) } else { Some(()) }
    }

    #[cold]
    #[inline(never)]
    fn init_first(&self, init: fn() -> T) -> Option<()> {
        register().ok()?;
        self.make_of(Some(init)).map(|_| ())
    }

    fn make_of(&self, init: Option<fn() -> T>) -> Option<(NonNull<T>, usize)> {
        let (region, slots) = memory::region()?;
        if let Some(base) = NonNull::new(self.made.load(Ordering::Acquire)) {
            return Some((base, slots));
        }
        if !is_by_cpu::<K>() && Ambient::token().mm_cid().is_none() {
            return None;
        }
        let fresh = Self::allocate(region, slots)?;
        let base = fresh.base;
        if let Some(init) = init {
            // SAFETY: there are `slots` copies of a `T` from `base` on, SPACING bytes apart, so each write is in bounds
            // and aligned. No other thread has seen them yet.
            (0..slots).for_each(|slot| unsafe { base.byte_add(slot * Self::SPACING).write(init()) });
        }
        self.len.store(slots, Ordering::Relaxed);
        let (order, failure) = (Ordering::AcqRel, Ordering::Acquire);
        match self.made.compare_exchange(ptr::null_mut(), base.as_ptr(), order, failure) {
            Ok(_) => {
                forget(fresh);
                Some((base, slots))
            }
            Err(theirs) => NonNull::new(theirs).map(|theirs| (theirs, slots)),
        }
    }

    /// Returns the copy of an index, made if there are none. None if the index has no copy.
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        let (base, slots) = self.make()?;
        // SAFETY: `base` is the first of `slots` copies, which are made and live as long as `self`; `index` is below
        // `slots`.
        ((index as usize) < slots).then(|| unsafe { Self::copy_of(base, index) })
    }

    /// The copy of an index.
    ///
    /// # Safety
    ///
    /// A section of this item has committed on this index.
    #[inline]
    pub(super) unsafe fn get_unchecked(&self, index: u32) -> &T {
        let base = self.made.load(Ordering::Relaxed);
        // SAFETY: a section has committed on this index, so the item is made: `base` is not null, and it has a copy of
        // this index.
        unsafe { Self::copy_of(NonNull::new_unchecked(base), index) }
    }

    /// The copies that there are: none before the first use.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        let (base, slots) = match NonNull::new(self.made.load(Ordering::Acquire)) {
            Some(base) => (base, memory::slots()),
            None => (NonNull::dangling(), 0),
        };
        // SAFETY: `base` is the first of `slots` copies, which live as long as `self`, and every index is below
        // `slots`.
        (0..slots as u32).map(move |index| unsafe { Self::copy_of(base, index) })
    }

    /// # Safety
    ///
    /// `base` is the first of more than `index` copies of a `T`, SPACING bytes apart and valid: zeroes are valid for
    /// all types that use items. They live for 'a.
    #[inline]
    unsafe fn copy_of<'a>(base: NonNull<T>, index: u32) -> &'a T {
        // SAFETY: the caller's contract.
        unsafe { base.byte_add(index as usize * Self::SPACING).as_ref() }
    }
}

impl<T, K> Drop for Copies<T, K> {
    fn drop(&mut self) {
        let Some(base) = NonNull::new(*self.made.get_mut()) else { return };
        // SAFETY: `make` allocated them, for the number of slots, which does not change once it is known. `drop` ends
        // all borrows of the copies.
        unsafe { Self::free(base, memory::slots()) };
    }
}

impl<T, K> fmt::Debug for Copies<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies").field("made", &self.made.load(Ordering::Relaxed)).finish()
    }
}

const fn is_by_cpu<K: Index>() -> bool {
    K::OFFSET == ByCpu::OFFSET
}

#[inline]
fn token<K: Index>() -> Token<'static, Ambient, K> {
    Ambient::token().with_index()
}

/// Whether comparing the index with an item's length also shows that the thread is registered. By concurrency ID it
/// does not: an area that was registered once keeps a concurrency ID of 0.
#[inline]
fn is_bound<K: Index>() -> bool {
    is_by_cpu::<K>() || Ambient::token().cpu_id() < CPU_ID_REGISTRATION_FAILED
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    type Spacing<const N: usize> = Copies<[AtomicUsize; N], ByCpu>;

    #[repr(C, align(0x20000))]
    struct Aligned(AtomicUsize);

    #[test]
    fn copies_are_strides_apart_however_large() {
        const WORDS: usize = STRIDE / size_of::<usize>();
        assert_eq!((Spacing::<1>::SPACING, Spacing::<WORDS>::SPACING), (STRIDE, STRIDE));
        assert_eq!((Spacing::<{ WORDS + 1 }>::SPACING, Spacing::<{ 3 * WORDS }>::SPACING), (2 * STRIDE, 3 * STRIDE));
        assert_eq!((Copies::<Aligned, ByCpu>::SPACING, align_of::<Aligned>()), (0x20000, 0x20000));
    }

    #[test]
    fn a_mapping_is_no_larger_than_an_object() {
        assert_eq!(size_of_mapping(2 * STRIDE, 3), Some(6 * STRIDE));
        // As 8192 CPUs of 512 KiB where a word has 32 bits, and half of that.
        let spacing = 1 << (usize::BITS - 13);
        assert_eq!([8192, 8193, 4096, 1 << 20].map(|slots| size_of_mapping(spacing, slots)), [None; 4]);
        assert_eq!(size_of_mapping(spacing, 4095), Some(4095 << (usize::BITS - 13)));
    }

    #[cfg(all(not(miri), not(rseq_stub)))]
    #[test]
    fn a_panic_while_copies_are_made_frees_them() {
        use crate::skipped::skipped;
        use crate::sys::page_size;
        use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
        type Large = [AtomicUsize; 4 * STRIDE / size_of::<usize>()];
        const TIMES: usize = 4000;
        /// Pages of this process's address space.
        fn mapped() -> u64 {
            let sizes = std::fs::read_to_string("/proc/self/statm").unwrap();
            sizes.split(' ').next().and_then(|pages| pages.parse().ok()).unwrap()
        }
        let copies = Copies::<Large, ByCpu>::of_any_size();
        let fail: fn() -> Large = || resume_unwind(std::boxed::Box::new(())); // no message for each
        let before = mapped();
        let failed = || catch_unwind(AssertUnwindSafe(|| copies.init(fail))).is_err();
        if !(0..TIMES).all(|_| failed()) {
            return skipped("no sections");
        }
        // Other tests map some too.
        let pages = memory::slots() * Copies::<Large, ByCpu>::SPACING / page_size();
        let (leaked, mapped) = ((TIMES * pages) as u64, mapped().saturating_sub(before));
        assert!(mapped < leaked / 2, "{mapped} of {leaked} pages are still mapped");
        assert_eq!(copies.iter().count(), 0);
    }
}
