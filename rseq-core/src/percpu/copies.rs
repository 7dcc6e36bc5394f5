//! One item of the process's per-CPU memory, made when it is first used.

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
    /// How many copies there are, for sections: here and not in [`memory`], as that is further away. It may still be 0
    /// where `made` is not null.
    len: AtomicUsize,
    kind: PhantomData<K>,
}

// SAFETY: a `Copies` lends shared references to its `T`s only, which several threads use at the same time.
unsafe impl<T: Sync, K> Sync for Copies<T, K> {}
// SAFETY: as above; dropping it in another thread drops no `T`, as copies are zeroes without a destructor.
unsafe impl<T: Sync, K> Send for Copies<T, K> {}

impl<T, K: Index> Copies<T, K> {
    pub(super) const fn new() -> Self {
        const { assert!(!core::mem::needs_drop::<T>()) };
        Self { made: AtomicPtr::new(ptr::null_mut()), len: AtomicUsize::new(0), kind: PhantomData }
    }

    /// Runs a section on the slots of this item: it gets the address of the first one, which lie [`STRIDE`] bytes
    /// apart, and their number. None if this thread's sections are off, or it has no slot: the section had no effect
    /// then.
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

    /// [`run`](Self::run) as far as it is short: None before the first use of an item or in a thread, too. For sections
    /// with so many operands that passing them on would cost.
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

    /// For the first use of an item or in a thread, and for threads that are not registered.
    #[cold]
    #[inline(never)]
    fn run_first<R>(
        &self,
        mut section: impl FnMut(Token<'static, Ambient, K>, *mut T, usize) -> Result<R, OutOfRange>,
    ) -> Option<R> {
        register().ok()?;
        let (base, slots) = self.make()?;
        loop {
            // A section that left does not say which index it had: with one that has a slot, the thread has moved.
            if !Ambient::token().is_registered() || token::<K>().slot() as usize >= slots {
                return None;
            }
            if let Ok(done) = section(token(), base.as_ptr(), slots) {
                return Some(done);
            }
        }
    }

    /// The first copy and the number of copies; made, if there are none. None without memory, and by an index that the
    /// kernel does not maintain.
    #[inline]
    fn make(&self) -> Option<(NonNull<T>, usize)> {
        self.make_of(None)
    }

    /// Makes the copies, of what `init` returns, if there are none. None as of `make`, and in a thread that is not
    /// registered.
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
            // SAFETY: the item was allocated for the layout of `T`, with so many copies, STRIDE bytes apart, and nobody
            // else has seen it yet.
            (0..slots).for_each(|slot| unsafe { base.byte_add(slot * STRIDE).write(init()) });
        }
        self.len.store(slots, Ordering::Relaxed);
        let (order, failure) = (Ordering::AcqRel, Ordering::Acquire);
        match self.made.compare_exchange(ptr::null_mut(), base.as_ptr(), order, failure) {
            Ok(_) => Some((base, slots)),
            Err(theirs) => {
                // SAFETY: it was allocated above for this layout, and nobody has seen it.
                unsafe { region.free(made, Layout::new::<T>()) };
                NonNull::new(theirs).map(|theirs| (theirs, slots))
            }
        }
    }

    /// The copy of an index, made if there are none. None if the index has no copy.
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        let (base, slots) = self.make()?;
        // SAFETY: `base` is that of `slots` copies.
        ((index as usize) < slots).then(|| unsafe { copy_of(base, index) })
    }

    /// The copy of an index.
    ///
    /// # Safety
    ///
    /// There is one: a section of this item has committed on it.
    #[inline]
    pub(super) unsafe fn get_unchecked(&self, index: u32) -> &T {
        let base = self.made.load(Ordering::Relaxed);
        // SAFETY: the item has been made, as there is a copy of this index, which is that of one of its copies.
        unsafe { copy_of(NonNull::new_unchecked(base), index) }
    }

    /// The copies that there are: none before the first use.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        let (base, slots) = match NonNull::new(self.made.load(Ordering::Acquire)) {
            Some(base) => (base, memory::slots()),
            None => (NonNull::dangling(), 0),
        };
        // SAFETY: `base` is that of an item with so many copies. It lives as long as `self`.
        (0..slots as u32).map(move |index| unsafe { copy_of(base, index) })
    }
}

impl<T, K> Drop for Copies<T, K> {
    fn drop(&mut self) {
        let Some(base) = NonNull::new(*self.made.get_mut()) else { return };
        if let Some((region, _)) = memory::region() {
            // SAFETY: `make` allocated it for this layout; with the item go all who could use it.
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
/// `base` is the first of more than `index` copies of a `T` that lie STRIDE bytes apart, zeroes at first, which the
/// types that use items are valid for. They live for 'a.
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

/// Whether the length of an item is a check that the thread is registered. It is not by concurrency ID: an area that
/// was registered once keeps a concurrency ID of 0.
#[inline]
fn is_bound<K: Index>() -> bool {
    is_by_cpu::<K>() || Ambient::token().cpu_id() < CPU_ID_REGISTRATION_FAILED
}
