//! One item of the process's per-CPU memory, made at its first use.

use super::memory::{self, STRIDE};
use crate::abi::CPU_ID_REGISTRATION_FAILED;
use crate::ambient::register;
use crate::{Ambient, ByCpu, Index, OutOfRange, Token};
use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
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

impl<T, K: Index> Copies<T, K> {
    pub(super) const fn new() -> Self {
        const { assert!(!core::mem::needs_drop::<T>()) };
        Self { made: AtomicPtr::new(ptr::null_mut()), len: AtomicUsize::new(0), kind: PhantomData }
    }

    /// Runs a section on the slots of this item, with the address of the first one and their number; the slots lie
    /// [`STRIDE`] bytes apart. Returns None if this thread's sections are off, or if it has no slot. The section then
    /// had no effect.
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
        let made = region.alloc_zeroed(Layout::new::<T>()).ok()?;
        let base = made.cast::<T>();
        if let Some(init) = init {
            // SAFETY: `base` is the item, allocated for the layout of `T` with `slots` copies STRIDE bytes apart, so
            // each write is in bounds and aligned. No other thread has seen the item yet.
            (0..slots).for_each(|slot| unsafe { base.byte_add(slot * STRIDE).write(init()) });
        }
        self.len.store(slots, Ordering::Relaxed);
        let (order, failure) = (Ordering::AcqRel, Ordering::Acquire);
        match self.made.compare_exchange(ptr::null_mut(), base.as_ptr(), order, failure) {
            Ok(_) => Some((base, slots)),
            Err(theirs) => {
                // SAFETY: `region` allocated it above for this layout, and no other thread has seen it.
                unsafe { region.free(made, Layout::new::<T>()) };
                NonNull::new(theirs).map(|theirs| (theirs, slots))
            }
        }
    }

    /// Returns the copy of an index, made if there are none. None if the index has no copy.
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        let (base, slots) = self.make()?;
        // SAFETY: `base` is the first of `slots` copies, which are made and live as long as `self`; `index` is below
        // `slots`.
        ((index as usize) < slots).then(|| unsafe { copy_of(base, index) })
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
        unsafe { copy_of(NonNull::new_unchecked(base), index) }
    }

    /// The copies that there are: none before the first use.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        let (base, slots) = match NonNull::new(self.made.load(Ordering::Acquire)) {
            Some(base) => (base, memory::slots()),
            None => (NonNull::dangling(), 0),
        };
        // SAFETY: `base` is the first of `slots` copies, which live as long as `self`, and every index is below
        // `slots`.
        (0..slots as u32).map(move |index| unsafe { copy_of(base, index) })
    }
}

impl<T, K> Drop for Copies<T, K> {
    fn drop(&mut self) {
        let Some(base) = NonNull::new(*self.made.get_mut()) else { return };
        if let Some((region, _)) = memory::region() {
            // SAFETY: `make` allocated it for this layout, and `drop` ends all borrows of the copies.
            unsafe { region.free(base.cast(), Layout::new::<T>()) };
        }
    }
}

impl<T, K> fmt::Debug for Copies<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies").field("made", &self.made.load(Ordering::Relaxed)).finish()
    }
}

/// # Safety
///
/// `base` is the first of more than `index` copies of a `T`, STRIDE bytes apart and valid: zeroes are valid for all
/// types that use items. They live for 'a.
#[inline]
unsafe fn copy_of<'a, T>(base: NonNull<T>, index: u32) -> &'a T {
    // SAFETY: the caller's contract.
    unsafe { base.byte_add(index as usize * STRIDE).as_ref() }
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
