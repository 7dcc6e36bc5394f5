//! Locks of other CPUs.
//!
//! A section that takes a lock compares the word before it stores, so that a write of another CPU in between is lost. A
//! thread that takes the lock of another CPU therefore marks the lock, restarts the sections of that CPU by a fence,
//! and checks that the mark is still there. From then on no section can take the lock, because later ones see the mark.

use super::lock_word::{Slot, UNUSED};
use super::{Lock, LockGuard};
use crate::percpu::RemoteError;
use crate::percpu::fence::fence_index;
use crate::{Index, sys};
use core::hint::spin_loop;

impl<T> Lock<T> {
    /// Takes the lock of any CPU. It costs a system call for a fence, which interrupts the CPU if this process runs
    /// there (Linux 5.10).
    ///
    /// # Errors
    ///
    /// [`RemoteError`]; the lock is as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::percpu::{Lock, RemoteError};
    ///
    /// static SIZES: Lock<usize> = Lock::new(|| 0);
    ///
    /// match SIZES.lock_cpu(0) {
    ///     Ok(mut size) => *size += 1,
    ///     Err(RemoteError::NoSlot(cpu)) => println!("CPU {cpu} has none"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// ```
    pub fn lock_cpu(&self, cpu: u32) -> Result<LockGuard<'_, T>, RemoteError> {
        self.lock_index(cpu)
    }
}

impl<T, K: Index> Lock<T, K> {
    /// Takes the locks whose values are in use, one after another: those of CPUs or concurrency IDs, then the lock of
    /// threads without sections.
    ///
    /// # Errors
    ///
    /// For each lock that is not taken: [`RemoteError::NoFence`].
    pub fn iter(&self) -> impl Iterator<Item = Result<LockGuard<'_, T>, RemoteError>> {
        let own =
            (0..).zip(self.copies.iter()).filter(|&(_, slot)| slot.is_used()).map(|(index, _)| self.lock_index(index));
        let fallback = [&self.fallback].into_iter().filter(|slot| slot.is_used()).map(|_| Ok(self.lock_fallback()));
        own.chain(fallback)
    }

    fn lock_index(&self, index: u32) -> Result<LockGuard<'_, T>, RemoteError> {
        let slot = self.copies.get(index).ok_or(RemoteError::NoSlot(index))?;
        loop {
            if self.try_lock_slot(slot, index)? {
                // SAFETY: this thread has just taken the lock for this guard, and the slot has a value.
                return Ok(unsafe { LockGuard::new(slot, Some(index)) });
            }
            spin_loop();
            sys::yield_now();
        }
    }

    fn lock_fallback(&self) -> LockGuard<'_, T> {
        loop {
            if let Some(guard) = self.try_fallback() {
                return guard;
            }
            spin_loop();
            sys::yield_now();
        }
    }

    /// Takes the lock of an index if it is free, and makes its value if there is none.
    fn try_lock_slot(&self, slot: &Slot<T>, index: u32) -> Result<bool, RemoteError> {
        let taken = self.closing.with(&self.copies, || slot.close(|| fence_index::<K>(index)))?;
        if taken == Some(UNUSED) {
            // SAFETY: this thread has taken the lock, which had never been used.
            unsafe { slot.make(self.init) };
        }
        Ok(taken.is_some())
    }
}
