//! Bounded per-CPU arrays of words, as in tcmalloc's slabs.

mod arrays;
mod batch;
mod class;
mod shared;
mod stack_sections;
mod stack_slot;
mod stacks;
#[cfg(all(test, not(miri), not(rseq_stub)))]
mod stress;
mod word;

pub use batch::{Batch, Full};
pub use stacks::Stacks;
pub use word::Word;

use super::RemoteError;
use crate::{ByCpu, Index};
use arrays::Arrays;
use class::Class;

/// A bounded per-CPU stack of words, in which an allocator can cache its objects.
///
/// A thread pushes to and pops from the array of the CPU that it runs on, in a few plain instructions. Each array has
/// a capacity of `N` items. It takes memory when its CPU first pushes. An array has a header of 32 bytes, and its size
/// is rounded up to a power of two: with 64-bit words, an `N` of 28, 60 or 124 wastes none.
///
/// If [`pop`](Self::pop) finds no item on this CPU, other CPUs may still have some. Any thread can take another CPU's
/// items by [`drain`](Self::drain), and change its capacity by [`resize`](Self::resize), while threads use that array:
/// the array is closed, one fence makes sure that no section is still running on it, and a thread on its CPU opens it
/// again on the next push or pop that needs it. Pushes and pops use the shared array while an array is closed.
///
/// There is one shared array, under a lock, with a capacity of `N` items. Threads that cannot use sections push to and
/// pop from it; [`status`](crate::status) returns whether the calling thread can. Other threads pop from it when the
/// array of their CPU is empty, so that items in it are not lost.
///
/// `K` is the index of the arrays: [`ByCpu`], or [`ByMmCid`](crate::ByMmCid), with which a process with few threads
/// uses few arrays. Draining by concurrency ID restarts the sections of all CPUs.
///
/// Items that are left when the stack is dropped are dropped.
///
/// # Examples
///
/// ```
/// use core::ptr::NonNull;
/// use rseq_core::percpu::{Batch, Stack};
///
/// /// Free pages of 4 KiB.
/// static FREE: Stack<NonNull<u8>, 60> = Stack::new();
///
/// # let mut memory = vec![[0u8; 4096]; 100];
/// # let mut pages = memory.iter_mut().map(|page| NonNull::from(page).cast());
/// # let mut refill = |batch: &mut Batch<NonNull<u8>, 32>| {
/// #     pages.by_ref().take(32).for_each(|page| batch.push(page).unwrap());
/// # };
/// let page = FREE.pop().or_else(|| {
///     let mut batch = Batch::<_, 32>::new();
///     refill(&mut batch); // from the allocator's central list
///     let page = batch.pop();
///     FREE.push_batch(&mut batch);
///     page
/// });
/// if let Some(page) = page {
///     // If this CPU's array is full, 32 of its items go back.
///     if FREE.push(page).is_err() {
///         let mut batch = Batch::<_, 32>::new();
///         FREE.pop_batch(&mut batch);
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Stack<T: Word, const N: usize, K: Index = ByCpu> {
    arrays: Arrays<T, 1, N, K>,
}

impl<T: Word, const N: usize, K: Index> Stack<T, N, K> {
    const CLASS: Class = Class::new(0, 0, N);

    /// An empty stack. It has no memory before it is first used.
    pub const fn new() -> Self {
        Self { arrays: Arrays::new() }
    }

    /// Pushes an item to the array of this CPU.
    ///
    /// # Errors
    ///
    /// [`Full`] with the item, if the array is full, or if the shared array is used and is full.
    #[inline]
    pub fn push(&self, item: T) -> Result<(), Full<T>> {
        self.arrays.push(Self::CLASS, item)
    }

    /// Pops the item that was pushed last on this CPU. If there is none, pops one from the shared array.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        self.arrays.pop(Self::CLASS)
    }

    /// Pushes an item to the array of this CPU by a section. It never uses the shared array or opens a closed array,
    /// and fails in a thread that cannot use sections. It takes fewer instructions than [`push`](Self::push), and is
    /// for programs that handle these cases themselves.
    ///
    /// # Errors
    ///
    /// [`Full`] with the item, if it was not pushed.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::percpu::Stack;
    ///
    /// static STACK: Stack<usize, 60> = Stack::new();
    ///
    /// let mut elsewhere = Vec::new();
    /// elsewhere.extend(STACK.push_local(7).err().map(|full| full.0));
    /// let found = STACK.pop_local();
    /// assert_eq!(usize::from(found.is_some()) + STACK.len() + elsewhere.len(), 1);
    /// ```
    #[inline]
    pub fn push_local(&self, item: T) -> Result<(), Full<T>> {
        self.arrays.push_local(&Self::CLASS, item)
    }

    /// Pops the item that was pushed last on this CPU by a section, with the restrictions of
    /// [`push_local`](Self::push_local).
    #[inline]
    pub fn pop_local(&self) -> Option<T> {
        self.arrays.pop_local(&Self::CLASS)
    }

    /// Pushes the first items of a batch in one section: all, or as many as fit. Returns their number; the batch keeps
    /// the others.
    #[inline]
    pub fn push_batch<const M: usize>(&self, batch: &mut Batch<T, M>) -> usize {
        self.arrays.push_batch(Self::CLASS, batch)
    }

    /// Pops items in one section and appends them to a batch: as many as fit in it, or all that there are. The item
    /// that was pushed last is the last one in the batch. Returns their number.
    #[inline]
    pub fn pop_batch<const M: usize>(&self, batch: &mut Batch<T, M>) -> usize {
        self.arrays.pop_batch(Self::CLASS, batch)
    }

    /// Takes all items from the array of one CPU, with one fence, and returns their number. `index` is a CPU number or
    /// a concurrency ID, depending on `K`. Returns 0 if no CPU has this number.
    ///
    /// `each` is called with each item, and may use the stack. If it panics, the remaining items stay in the array.
    ///
    /// If another thread forks during the call, the child can use the array, with the items that are still in it.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Busy`] and [`RemoteError::NoFence`]; the array is as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::percpu::{Stack, RemoteError};
    ///
    /// static STACK: Stack<usize, 60> = Stack::new();
    ///
    /// STACK.push(7).unwrap();
    /// let mut found = Vec::new();
    /// match STACK.drain_all(|item| found.push(item)) {
    ///     Ok(count) => assert_eq!((count, found), (1, vec![7])),
    ///     Err(error) => println!("the items stay where they are: {error}"),
    /// }
    /// ```
    pub fn drain(&self, index: u32, each: impl FnMut(T)) -> Result<usize, RemoteError> {
        self.arrays.evict(Self::CLASS, index, each)
    }

    /// Drains the arrays of all CPUs one after another, with one fence for each that is open, and the shared array.
    ///
    /// # Errors
    ///
    /// Those of [`drain`](Self::drain), for the first array that cannot be drained.
    pub fn drain_all(&self, each: impl FnMut(T)) -> Result<usize, RemoteError> {
        self.arrays.evict_all(Self::CLASS, each)
    }

    /// Changes the capacity of the array of one CPU, to at most `N` items. If it has more items, the last ones are
    /// passed to `each`; returns their number. Raising the capacity needs no fence.
    ///
    /// # Errors
    ///
    /// [`RemoteError`]; the array is as it was. [`RemoteError::NoFence`] occurs only if the capacity is lowered.
    pub fn resize(&self, index: u32, capacity: usize, each: impl FnMut(T)) -> Result<usize, RemoteError> {
        self.arrays.resize(Self::CLASS, index, capacity, each)
    }

    /// The number of items in the array of one CPU, at some time during the call.
    pub fn len_of(&self, index: u32) -> usize {
        self.arrays.len_of(Self::CLASS, index)
    }

    /// The capacity of the array of one CPU, in items.
    pub fn capacity_of(&self, index: u32) -> usize {
        self.arrays.capacity_of(Self::CLASS, index)
    }

    /// The number of items in all arrays, including the shared one. It is not a snapshot: the arrays are read one after
    /// another, while other threads may push and pop.
    pub fn len(&self) -> usize {
        self.arrays.len(Self::CLASS)
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Word, const N: usize, K: Index> Default for Stack<T, N, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Word, const N: usize, K: Index> Drop for Stack<T, N, K> {
    fn drop(&mut self) {
        self.arrays.clear(Self::CLASS);
    }
}
