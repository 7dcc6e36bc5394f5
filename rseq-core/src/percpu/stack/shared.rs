//! The slot that is used under a lock, and not by sections.

use super::class::Class;
use crate::percpu::lock::SpinLock;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The items of threads without sections, and of threads whose slot is closed: for each class, as many as a slot has.
#[derive(Debug)]
pub(super) struct Shared<const CLASSES: usize, const ITEMS: usize> {
    /// Written under the lock; read without it, to skip the lock if there is nothing to pop.
    lens: [AtomicUsize; CLASSES],
    items: SpinLock<[usize; ITEMS]>,
}

impl<const CLASSES: usize, const ITEMS: usize> Shared<CLASSES, ITEMS> {
    pub(super) const fn new() -> Self {
        Self { lens: [const { AtomicUsize::new(0) }; CLASSES], items: SpinLock::new([0; ITEMS]) }
    }

    /// The number of items of a class, which may change at any time.
    pub(super) fn len(&self, class: Class) -> usize {
        self.lens.get(class.number()).map_or(0, |len| len.load(Ordering::Relaxed))
    }

    pub(super) fn push(&self, class: Class, word: usize) -> bool {
        self.with(class, |items, len| {
            let room = items.get_mut(len);
            let is_pushed = room.is_some();
            if let Some(room) = room {
                *room = word;
            }
            (len + usize::from(is_pushed), is_pushed)
        })
        .unwrap_or(false)
    }

    pub(super) fn pop(&self, class: Class) -> Option<usize> {
        if self.len(class) == 0 {
            return None;
        }
        self.with(class, |items, len| match len.checked_sub(1) {
            Some(last) => (last, items.get(last).copied()),
            None => (0, None),
        })?
    }

    /// Pops items until `to` is full or none are left, so that the item that was pushed last is the last. Returns how
    /// many.
    pub(super) fn pop_batch(&self, class: Class, to: &mut [MaybeUninit<usize>]) -> usize {
        if self.len(class) == 0 {
            return 0;
        }
        let popped = self.with(class, |items, len| {
            let left = len.saturating_sub(to.len());
            let popped = items.get(left..len).unwrap_or_default();
            for (place, &word) in to.iter_mut().zip(popped) {
                place.write(word);
            }
            (left, popped.len())
        });
        popped.unwrap_or(0)
    }

    /// Runs `work` with the items of a class and their number, and stores the number that it returns.
    fn with<R>(&self, class: Class, work: impl FnOnce(&mut [usize], usize) -> (usize, R)) -> Option<R> {
        self.items.with(|all| {
            let len = self.lens.get(class.number())?;
            let items = all.get_mut(class.first()..class.first() + class.capacity())?;
            let (new_len, result) = work(items, len.load(Ordering::Relaxed));
            // A release: a child of `fork` that sees the number also sees the items.
            len.store(new_len, Ordering::Release);
            Some(result)
        })
    }
}
