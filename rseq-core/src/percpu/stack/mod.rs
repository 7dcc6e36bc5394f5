//! Bounded arrays of words for each CPU, as in the slabs of tcmalloc.

mod arrays;
mod batch;
mod class;
mod error;
mod sections;
mod shared;
mod slot;
mod stacks;
#[cfg(all(test, not(miri), not(rseq_stub)))]
mod stress;
mod word;

pub use batch::Batch;
pub use error::Full;
pub use stacks::Stacks;
pub use word::Word;

use super::RemoteError;
use crate::{ByCpu, Index};
use arrays::Arrays;
use class::Class;

/// A bounded stack of words for each CPU: what an allocator caches its objects in.
///
/// Any thread pushes to and pops from the array of the CPU that it runs on, by a handful of plain instructions. The
/// arrays have room for `N` items each; the kernel gives an array memory when its CPU first pushes. A CPU's array has
/// 32 bytes more than its words, and takes memory in powers of two: with 64-bit words, an `N` of 28, 60 or 124 wastes
/// none.
///
/// What [`pop`](Self::pop) does not find on this CPU may be on another one. Any thread gets at another CPU's items by
/// [`drain`](Self::drain), and changes how many it may have by [`resize`](Self::resize), while threads use that array:
/// the array is closed, one fence makes sure that no section is still at work on it, and its own CPU opens it again
/// when it next needs it. Its pushes and pops use the shared array meanwhile.
///
/// There is one shared array, under a lock, with room for `N` items. Threads without rseq push to and pop from it:
/// [`status`](crate::status) tells which these are. A thread with rseq pops from it when the array of its CPU is empty,
/// so that items that others pushed there are not lost.
///
/// `K` is the index that the arrays go by: [`ByCpu`], or [`ByMmCid`](crate::ByMmCid), by which a process with few
/// threads uses few of them. A drain by concurrency ID restarts the sections of all CPUs.
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
///     // Where this CPU's array is full, half of it goes back.
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

    /// Pushes an item on the array of this CPU.
    ///
    /// # Errors
    ///
    /// The item, if the array is full, or if the shared one is where that is used.
    #[inline]
    pub fn push(&self, item: T) -> Result<(), Full<T>> {
        self.arrays.push(Self::CLASS, item)
    }

    /// Pops the item that was pushed last on this CPU; one of the shared array, if there is none.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        self.arrays.pop(Self::CLASS)
    }

    /// Pushes an item on the array of this CPU, by a section or not at all: the shared array is not used, an array that
    /// is closed stays so, and a thread without sections pushes nothing. It is fewer instructions than
    /// [`push`](Self::push), for programs that have a way of their own for all of these.
    ///
    /// # Errors
    ///
    /// The item, if it was not pushed.
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

    /// Pops the item that was pushed last on this CPU, by a section or not at all, as [`push_local`](Self::push_local)
    /// pushes.
    #[inline]
    pub fn pop_local(&self) -> Option<T> {
        self.arrays.pop_local(&Self::CLASS)
    }

    /// Pushes the first items of a batch at once: all, or as many as there is room for. Returns how many; the batch
    /// keeps the others.
    #[inline]
    pub fn push_batch<const M: usize>(&self, batch: &mut Batch<T, M>) -> usize {
        self.arrays.push_batch(Self::CLASS, batch)
    }

    /// Pops items at once and adds them to a batch, the item that was pushed last being the last: as many as the batch
    /// has room for, or all that there are. Returns how many.
    #[inline]
    pub fn pop_batch<const M: usize>(&self, batch: &mut Batch<T, M>) -> usize {
        self.arrays.pop_batch(Self::CLASS, batch)
    }

    /// Takes all items out of the array of one CPU, by one fence, and returns how many there were. The CPU is `index`,
    /// or the concurrency ID is. None are there if no CPU has this number.
    ///
    /// `each` may use the stack. If it panics, what is left stays in the array.
    ///
    /// A child that another thread forks meanwhile takes the array over, with the items that are still in it.
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

    /// Drains the arrays of all CPUs one by one, by one fence for each that is open, and the shared one.
    ///
    /// # Errors
    ///
    /// As for [`drain`](Self::drain), at the first array that cannot be drained.
    pub fn drain_all(&self, each: impl FnMut(T)) -> Result<usize, RemoteError> {
        self.arrays.evict_all(Self::CLASS, each)
    }

    /// Changes how many items the array of one CPU takes, at most `N`. Those that it has more, the last ones, go to
    /// `each`; returns how many these were. A larger capacity takes no fence.
    ///
    /// # Errors
    ///
    /// [`RemoteError`]; the array is as it was. [`RemoteError::NoFence`] is for a smaller capacity only.
    pub fn resize(&self, index: u32, capacity: usize, each: impl FnMut(T)) -> Result<usize, RemoteError> {
        self.arrays.resize(Self::CLASS, index, capacity, each)
    }

    /// Items in the array of one CPU at some moment.
    pub fn len_of(&self, index: u32) -> usize {
        self.arrays.len_of(Self::CLASS, index)
    }

    /// Items that the array of one CPU takes.
    pub fn capacity_of(&self, index: u32) -> usize {
        self.arrays.capacity_of(Self::CLASS, index)
    }

    /// Items in all arrays, the shared one too; not of one moment where threads push and pop meanwhile.
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
