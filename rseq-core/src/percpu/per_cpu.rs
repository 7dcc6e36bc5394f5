//! A value of the program's own type for each CPU.

use super::copies::Copies;
use super::memory;
use crate::{Ambient, ByCpu, Index, OutOfRange, Token};
use core::fmt;

/// A `T` for each CPU, which any thread can read and which the program's own critical sections change.
///
/// For what [`Counter`](super::Counter) and the other types of this module do not offer, a program writes a
/// [`critical_section!`](crate::critical_section). [`with`](Self::with) runs it on this thread's copy. Where sections
/// are off, `with` calls another function with one more copy.
///
/// A `T` is made of atomics, and has no destructor: sections change it while others read it by [`iter`](Self::iter). It
/// is at most half of [`STRIDE`](Self::STRIDE) bytes large.
///
/// # Examples
///
/// The last event of each CPU, and how many there were:
///
/// ```
/// use rseq_core::percpu::PerCpu;
/// use rseq_core::{Committed, OutOfRange, critical_section};
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
///
/// #[repr(C)]
/// struct Events {
///     count: AtomicUsize,
///     last: AtomicUsize,
/// }
///
/// impl Events {
///     const fn new() -> Self {
///         Self { count: AtomicUsize::new(0), last: AtomicUsize::new(0) }
///     }
/// }
///
/// static EVENTS: PerCpu<Events> = PerCpu::new(Events::new(), Events::new);
///
/// critical_section! {
///     /// Stores `event` in the slot's second word, and then adds one to the first.
///     ///
///     /// # Safety
///     ///
///     /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with two valid words.
///     unsafe fn note(base: *mut Events, len: usize, event: usize) -> Result<Committed, OutOfRange> {
///         exits(OutOfRange) scratch(i) abort(restart) stride(STRIDE);
///         load_index(i);
///         bound(i, len) else OutOfRange;
///         scale(i, STRIDE);
///         add(i, base);
///         repeatable store([i + 8], event); // the offset of `last`, where a word has 64 bits
///         commit add([i], 1);
///     }
/// }
///
/// fn record(event: usize) {
///     EVENTS.with(
///         |token, base, len| {
///             // SAFETY: the copies are `len` slots of so many bytes, and begin with two words that are atomics.
///             unsafe { note::<{ PerCpu::<Events>::STRIDE }, _, _>(token, base, len, event) }.map(drop)
///         },
///         |fallback| {
///             fallback.last.store(event, Relaxed);
///             fallback.count.fetch_add(1, Relaxed);
///         },
///     );
/// }
///
/// # if size_of::<usize>() == 8 {
/// record(7);
/// record(8);
/// assert_eq!(EVENTS.iter().map(|events| events.count.load(Relaxed)).sum::<usize>(), 2);
/// assert!(EVENTS.iter().any(|events| events.last.load(Relaxed) == 8));
/// # }
/// ```
pub struct PerCpu<T, K: Index = ByCpu> {
    copies: Copies<T, K>,
    fallback: T,
    init: fn() -> T,
}

impl<T: Sync, K: Index> PerCpu<T, K> {
    /// Bytes between the copies of two CPUs, for the section.
    pub const STRIDE: usize = memory::STRIDE;

    /// A value for each CPU, made by `init` at the first use, and one more for threads whose sections are off.
    ///
    /// `init` may be called for more values than there are CPUs, and by several threads at the same time. The first
    /// thread that uses it writes all copies.
    pub const fn new(fallback: T, init: fn() -> T) -> Self {
        const { assert!(size_of::<T>() <= memory::STRIDE / 2, "a value is at most half a stride large") };
        const { assert!(align_of::<T>() <= memory::STRIDE / 2, "so large an alignment is not to be had") };
        Self { copies: Copies::new(), fallback, init }
    }

    /// Runs `section` on this thread's copy. Where sections are off ([`status`](crate::status) has the cause), runs
    /// `fallback` with a copy that no section is given.
    ///
    /// `section` gets a token of this thread, the address of a first slot and a number of slots. It passes them, with
    /// [`STRIDE`](Self::STRIDE), to a critical section that leaves by [`OutOfRange`] if its index has no slot, and
    /// returns the result. After [`OutOfRange`] it is called again, or `fallback` is called, so it must have no effect
    /// beyond the critical section that must not be repeated.
    ///
    /// # For the safety of the section
    ///
    /// What a critical section may rely on:
    ///
    /// * For every index that it can load and that is below the number of slots, there is a `T` at the first address
    ///   plus the index times `STRIDE`. It is initialised, and lives as long as `self` is borrowed. Slots of other
    ///   indices may not exist: no other code may use the address and the number.
    /// * Only sections, and this program through the references of [`iter`](Self::iter), change it.
    /// * A section that commits had this index from its first step to its commit, and no other section with this index
    ///   ran in between.
    ///
    /// What it must keep:
    ///
    /// * It changes only what shared references may change: atomics, and what is in an `UnsafeCell`.
    /// * Other threads read at any time. So what a repeatable store leaves when the section is aborted there, and what
    ///   is there between any two stores, is a valid `T`, and stores have the size of the atomics. If an `UnsafeCell`
    ///   is not an atomic, shared references must not read it.
    /// * Sections of one index follow each other in memory order too. For readers, a commit is a relaxed store, unless
    ///   the section has the order [`Release`](crate::Release).
    #[inline]
    pub fn with<R>(
        &self,
        section: impl FnMut(Token<'static, Ambient, K>, *mut T, usize) -> Result<R, OutOfRange>,
        fallback: impl FnOnce(&T) -> R,
    ) -> R {
        match self.copies.init(self.init).and_then(|()| self.copies.run(section)) {
            Some(result) => result,
            None => fallback(&self.fallback),
        }
    }

    /// The copy for threads whose sections are off, and then that of each index; only the first one before the first
    /// use.
    pub fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        core::iter::once(&self.fallback).chain(self.copies.iter())
    }
}

impl<T: fmt::Debug, K: Index> fmt::Debug for PerCpu<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerCpu").field("copies", &self.copies).field("fallback", &self.fallback).finish_non_exhaustive()
    }
}
