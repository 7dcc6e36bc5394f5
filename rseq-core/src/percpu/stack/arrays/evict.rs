//! Taking items out of closed slots: for another CPU, for a smaller capacity, and before the arrays are dropped.

use super::Arrays;
use crate::Index;
use crate::percpu::RemoteError;
use crate::percpu::fence::fence_index;
use crate::percpu::stack::class::Class;
use crate::percpu::stack::stack_slot::{Held, MakeFence};
use crate::percpu::stack::word::Word;

impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> Arrays<T, CLASSES, ITEMS, K> {
    /// Takes all items from the slot of an index, and passes them to `each`.
    pub(in crate::percpu::stack) fn evict(
        &self,
        class: Class,
        index: u32,
        each: impl FnMut(T),
    ) -> Result<usize, RemoteError> {
        self.evict_by(fence_index::<K>, class, index, each)
    }

    /// The same, with the fence that the caller passes.
    pub(in crate::percpu::stack) fn evict_by(
        &self,
        fence: MakeFence,
        class: Class,
        index: u32,
        each: impl FnMut(T),
    ) -> Result<usize, RemoteError> {
        let Some(slot) = self.slot(class, index) else { return Ok(0) };
        if slot.len() == 0 && !slot.is_open() {
            return Ok(0);
        }
        let mut held = slot.hold().ok_or(RemoteError::Busy)?;
        held.close(index, fence)?;
        Ok(Self::take(&mut held, 0, each))
    }

    /// Takes items from a closed slot while it has more than `left`.
    fn take(held: &mut Held<'_>, left: usize, mut each: impl FnMut(T)) -> usize {
        let words = core::iter::from_fn(|| held.take(left));
        // SAFETY: `into_word` made the word from an item. The slot is closed, so that each word is taken once.
        words.map(|word| each(unsafe { T::from_word(word) })).count()
    }

    /// Evicts all items of a class, including those of the shared slot.
    pub(in crate::percpu::stack) fn evict_all(
        &self,
        class: Class,
        mut each: impl FnMut(T),
    ) -> Result<usize, RemoteError> {
        let mut count = 0;
        for (index, _) in self.copies.iter().enumerate() {
            count += self.evict(class, index as u32, &mut each)?;
        }
        let shared = core::iter::from_fn(|| self.shared.pop(class));
        // SAFETY: `into_word` made the word from an item, and the shared slot returns each word once.
        count += shared.map(|word| each(unsafe { T::from_word(word) })).count();
        Ok(count)
    }

    /// Changes the capacity of the slot of an index, and passes the items beyond it to `each`.
    pub(in crate::percpu::stack) fn resize(
        &self,
        class: Class,
        index: u32,
        capacity: usize,
        each: impl FnMut(T),
    ) -> Result<usize, RemoteError> {
        self.resize_by(fence_index::<K>, class, index, capacity, each)
    }

    /// The same, with the fence that the caller passes.
    pub(in crate::percpu::stack) fn resize_by(
        &self,
        fence: MakeFence,
        class: Class,
        index: u32,
        capacity: usize,
        each: impl FnMut(T),
    ) -> Result<usize, RemoteError> {
        if capacity > class.capacity() {
            return Err(RemoteError::TooLarge);
        }
        let slot = self.slot(class, index).or_else(|| {
            // Allocates the memory if there is none.
            self.copies.run(|_, _, _| Ok(()))?;
            self.slot(class, index)
        });
        let mut held = slot.ok_or(RemoteError::NoSlot(index))?.hold().ok_or(RemoteError::Busy)?;
        if capacity >= held.capacity() {
            held.grow(capacity);
            return Ok(0);
        }
        held.close(index, fence)?;
        held.set_capacity(capacity);
        Ok(Self::take(&mut held, capacity, each))
    }

    /// Drops the items of a class that no thread uses any longer.
    pub(in crate::percpu::stack) fn clear(&mut self, class: Class) {
        if core::mem::needs_drop::<T>() {
            // The reference is exclusive: no thread holds a slot, or is in a section, so that no fence is needed.
            for (index, _) in self.copies.iter().enumerate() {
                let _ = self.evict_by(|_| Ok(()), class, index as u32, drop);
            }
            while let Some(word) = self.shared.pop(class) {
                // SAFETY: `into_word` made the word from an item, and the shared slot returns each word once.
                drop(unsafe { T::from_word(word) });
            }
        }
    }
}
