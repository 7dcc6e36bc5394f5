//! Items on their way between a stack and a program.

use super::word::Word;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// An item that a stack has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stack is full")
    }
}

impl<T: fmt::Debug> core::error::Error for Full<T> {}

/// Up to `N` items, which [`Stack::push_batch`](super::Stack::push_batch) and
/// [`Stack::pop_batch`](super::Stack::pop_batch) move at once. Dropping it drops the items in it.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::Batch;
///
/// let mut batch = Batch::<usize, 32>::new();
/// batch.push(1)?;
/// batch.push(2)?;
/// assert_eq!(batch.pop(), Some(2));
/// assert_eq!(batch.len(), 1);
/// # Ok::<(), rseq_core::percpu::Full<usize>>(())
/// ```
pub struct Batch<T: Word, const N: usize> {
    words: [MaybeUninit<usize>; N],
    len: usize,
    /// The most items in it: at most `N`.
    most: usize,
    kind: PhantomData<Cell<T>>,
}

impl<T: Word, const N: usize> Batch<T, N> {
    /// An empty batch.
    #[inline]
    pub const fn new() -> Self {
        Self::with_room(N)
    }

    /// An empty batch of at most `most` items, or `N` if that is less: for capacities that differ by class.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::percpu::{Batch, Full};
    ///
    /// let mut half = Batch::<usize, 64>::with_room(1);
    /// half.push(1)?;
    /// assert!(half.is_full());
    /// assert_eq!(half.push(2), Err(Full(2)));
    /// # Ok::<(), Full<usize>>(())
    /// ```
    #[inline]
    pub const fn with_room(most: usize) -> Self {
        let most = if most < N { most } else { N };
        Self { words: [MaybeUninit::uninit(); N], len: 0, most, kind: PhantomData }
    }

    /// The number of items in it.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it is empty.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it is full.
    #[inline]
    pub const fn is_full(&self) -> bool {
        self.len == self.most
    }

    /// Adds an item.
    ///
    /// # Errors
    ///
    /// The item, if the batch is full.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        let Some(word) = self.words.get_mut(..self.most).and_then(|words| words.get_mut(self.len)) else {
            return Err(Full(item));
        };
        word.write(item.into_word());
        self.len += 1;
        Ok(())
    }

    /// Removes the item that was added last.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        let word = self.words.get(self.len)?;
        // SAFETY: words below the old length are initialised, come from `into_word`, and no item has been made from
        // them. This word is now beyond the length, so no other item will be.
        Some(unsafe { T::from_word(word.assume_init()) })
    }

    /// The words of its items.
    #[inline]
    pub(super) fn words(&self) -> *const usize {
        self.words.as_ptr().cast()
    }

    /// Where further words go, and how many there is room for.
    #[inline]
    pub(super) fn room(&mut self) -> (*mut usize, usize) {
        let room = self.words.get_mut(self.len..self.most).unwrap_or_default();
        (room.as_mut_ptr().cast(), room.len())
    }

    /// # Safety
    ///
    /// `count` words were written where [`room`](Self::room) points. They come from `into_word`, and their items belong
    /// to the batch from now on.
    #[inline]
    pub(super) unsafe fn added(&mut self, count: usize) {
        self.len += count;
    }

    /// Removes the first `count` items, or all; the others move to the front.
    ///
    /// # Safety
    ///
    /// The caller has passed these items on.
    #[inline]
    pub(super) unsafe fn removed(&mut self, count: usize) {
        self.len = self.len.saturating_sub(count);
        if self.len > 0 {
            let words = self.words.as_mut_ptr();
            // SAFETY: `count + len` words are initialised, at most `N`, so both ranges are within the batch.
            unsafe { words.copy_from(words.add(count), self.len) };
        }
    }
}

impl<T: Word, const N: usize> Default for Batch<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Word, const N: usize> Drop for Batch<T, N> {
    #[inline]
    fn drop(&mut self) {
        if core::mem::needs_drop::<T>() {
            while self.pop().is_some() {}
        }
    }
}

impl<T: Word, const N: usize> fmt::Debug for Batch<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("len", &self.len).finish_non_exhaustive()
    }
}
