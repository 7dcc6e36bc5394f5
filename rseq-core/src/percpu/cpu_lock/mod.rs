//! A lock for each CPU, and the value that it protects.

#[cfg(all(test, not(miri), not(rseq_stub)))]
mod forks;
mod guard;
mod lock_word;
mod remote;
mod take_section;

use super::closing::Closing;
use super::copies::Copies;
use crate::ops::librseq;
use crate::{Ambient, ByCpu, Committed, Index, OutOfRange, Token, sys};
use core::fmt;
use core::hint::spin_loop;
use core::sync::atomic::{Ordering, fence};
use lock_word::{FREE, Slot, TAKEN, UNUSED};

pub use guard::LockGuard;

/// A value for each CPU, and a lock for each that is taken without an atomic instruction.
///
/// [`lock`](Self::lock) takes the lock of this thread's CPU, [`lock_cpu`](Self::lock_cpu) that of another one. One
/// thread at a time changes a value, however many steps that takes, as for a cache or a buffer. The holder may be
/// migrated or preempted, so locks are contended, but rarely.
///
/// Threads without sections ([`status`](crate::status) has the cause) share one more lock, which has its own value and
/// is taken by an atomic instruction. So do all threads if there is no memory for the values of all CPUs when a lock is
/// first taken.
///
/// A `T` may have any size. Values of up to 64 KiB (8 KiB where a word has 32 bits) share pages with what else this CPU
/// has; larger ones are mapped for the lock.
///
/// `K` is the index of the locks: [`ByCpu`], or [`ByMmCid`](crate::ByMmCid), with which a process with few threads
/// has few values.
///
/// As with any spinning lock, a signal handler that takes a lock that its own thread holds waits forever: handlers use
/// [`try_lock`](Self::try_lock).
///
/// A guard may move to another thread, so a future that holds one across an `.await` may be `Send`. Drop the guard
/// before the `.await` all the same: a task that wants the lock yields to the kernel, not to its executor, so it keeps
/// its thread busy until the holder runs again. If the holder needs that thread, as on an executor with one thread, the
/// task may wait forever.
///
/// A child of `fork` has only the thread that called it. A lock that another thread held then stays taken in the child,
/// as any mutex does, because half of its value may have been changed: the child's threads wait for it forever, unless
/// they move to another CPU. A lock that another thread was only taking remotely is free in the child.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::Lock;
///
/// static RECENT: Lock<Vec<u64>> = Lock::new(Vec::new);
///
/// std::thread::scope(|scope| {
///     for id in 0..8 {
///         scope.spawn(move || RECENT.lock().push(id));
///     }
/// });
/// let mut all = Vec::new();
/// for recent in RECENT.iter() {
///     all.append(&mut *recent?);
/// }
/// all.sort();
/// assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 7]);
/// # Ok::<(), rseq_core::percpu::RemoteError>(())
/// ```
pub struct Lock<T, K: Index = ByCpu> {
    copies: Copies<Slot<T>, K>,
    fallback: Slot<T>,
    closing: Closing,
    init: fn() -> T,
}

/// The result of an attempt to take the lock of this thread's index.
enum Attempt {
    Taken(u32),
    /// Taken by another thread, or never used before.
    NotFree(u32),
}

impl<T, K: Index> Lock<T, K> {
    /// Locks that are free. `init` makes the value of a CPU when its lock is first taken.
    pub const fn new(init: fn() -> T) -> Self {
        Self { copies: Copies::of_any_size(), fallback: Slot::new(), closing: Closing::new(), init }
    }

    /// Takes the lock of the CPU that this thread runs on. While it is not free, the thread yields, and may so move to
    /// a CPU whose lock is free.
    #[inline]
    pub fn lock(&self) -> LockGuard<'_, T> {
        loop {
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            spin_loop();
            sys::yield_now();
        }
    }

    /// Takes the lock of the CPU that this thread runs on, if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        match self.attempt() {
            Some(Attempt::Taken(index)) => {
                // SAFETY: a section has just taken the lock of this index for this guard, so there is a copy, and its
                // state before says that it has a value.
                Some(unsafe { self.guard(index) })
            }
            Some(Attempt::NotFree(index)) => self.try_unused(index),
            None => self.try_fallback(),
        }
    }

    #[inline]
    fn attempt(&self) -> Option<Attempt> {
        let taken = self.copies.run(|token, base, len| {
            on_slot(token, base, len, |token, index, word| {
                // SAFETY: `word` is the valid word of a slot; the index was below a length, so it is neither -1 nor -2.
                unsafe { take_section::take(token, index, word) }
            })
        });
        fence(Ordering::Acquire);
        taken.map(|(index, is_taken)| if is_taken { Attempt::Taken(index) } else { Attempt::NotFree(index) })
    }

    /// The guard of a lock that is taken.
    ///
    /// # Safety
    ///
    /// There is a copy of this index. Its lock is taken, has no guard, and protects a value.
    #[inline]
    unsafe fn guard(&self, index: u32) -> LockGuard<'_, T> {
        // SAFETY: by the caller's contract there is this copy.
        let slot = unsafe { self.copies.get_unchecked(index) };
        // SAFETY: the caller's contract: the lock is taken, has no other guard, and protects a value.
        unsafe { LockGuard::new(slot, Some(index)) }
    }

    /// Takes the lock of this index if it has never been used, or if only a thread of this process's parent was taking
    /// it.
    #[cold]
    #[inline(never)]
    fn try_unused(&self, index: u32) -> Option<LockGuard<'_, T>> {
        if self.closing.reopen_after_fork(&self.copies) {
            return self.try_lock();
        }
        let slot = self.copies.get(index)?;
        if slot.word.load(Ordering::Relaxed) != UNUSED {
            return None;
        }
        let (index, is_taken) = self.copies.run(|token, base, len| {
            on_slot(token, base, len, |token, index, word| {
                // SAFETY: `word` is the valid word of a slot; the index was below a length, so it is neither -1 nor -2.
                unsafe { librseq::load_cbne_store(token, index, word, UNUSED, TAKEN) }
            })
        })?;
        fence(Ordering::Acquire);
        if !is_taken {
            return None;
        }
        let slot = self.copies.get(index)?;
        // SAFETY: the section above has taken this lock, which had never been used.
        unsafe { slot.make(self.init) };
        // SAFETY: the section took the lock for this guard, and the value has been made.
        Some(unsafe { LockGuard::new(slot, Some(index)) })
    }

    /// Takes the lock of threads without sections.
    #[cold]
    #[inline(never)]
    fn try_fallback(&self) -> Option<LockGuard<'_, T>> {
        let slot = &self.fallback;
        if slot.replace(UNUSED, TAKEN) {
            // SAFETY: this thread has just taken the lock, which had never been used.
            unsafe { slot.make(self.init) };
        } else if !slot.replace(FREE, TAKEN) {
            return None;
        }
        // SAFETY: this thread has just taken the lock for this guard, and the slot has a value.
        Some(unsafe { LockGuard::new(slot, None) })
    }
}

/// Runs a section on the lock word of this thread's index. Returns the index, and whether the section committed.
#[inline]
fn on_slot<T, K: Index>(
    token: Token<'static, Ambient, K>,
    base: *mut Slot<T>,
    len: usize,
    section: impl Fn(Token<'static, Ambient, K>, usize, *mut usize) -> Result<Committed, librseq::Error>,
) -> Result<(u32, bool), OutOfRange> {
    loop {
        let index = token.slot();
        if index as usize >= len {
            return Err(OutOfRange);
        }
        let word = base.wrapping_byte_add(index as usize * Copies::<Slot<T>, K>::SPACING).cast();
        match section(token, index as usize, word) {
            Ok(Committed) => return Ok((index, true)),
            Err(librseq::Error::CompareFailed) => return Ok((index, false)),
            Err(librseq::Error::Aborted) => {}
        }
    }
}

impl<T, K: Index> Drop for Lock<T, K> {
    fn drop(&mut self) {
        for slot in self.copies.iter().chain([&self.fallback]) {
            // SAFETY: `&mut self` excludes all other users of the slot, and its memory is freed next, so the value is
            // not read again.
            unsafe { slot.clear() };
        }
    }
}

impl<T, K: Index> fmt::Debug for Lock<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("copies", &self.copies).finish_non_exhaustive()
    }
}
