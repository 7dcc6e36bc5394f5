//! The stacks of all size classes of an allocator.

use super::arrays::Arrays;
use super::class::Class;
use super::{Batch, Full, Word};
use crate::percpu::RemoteError;
use crate::{ByCpu, Index};

/// A [`Stack`](super::Stack) for each of `CLASSES` size classes, in one block of memory for each CPU. The arrays are
/// packed one after the other, each after its header of 32 bytes, and have room for `ITEMS` items together.
///
/// Operations take the number of a class, and otherwise act like those of a [`Stack`](super::Stack). A class that does
/// not exist has no capacity.
///
/// # Examples
///
/// ```
/// use core::ptr::NonNull;
/// use rseq_core::percpu::Stacks;
///
/// /// Free objects of 16, 32, 64 and 128 bytes: many of the small ones, few of the large ones.
/// static FREE: Stacks<NonNull<u8>, 4, 480> = Stacks::new([256, 128, 64, 32]);
///
/// # let mut memory = [0u8; 32];
/// # let object = NonNull::from(&mut memory).cast::<u8>();
/// FREE.push(1, object)?;
/// assert!(FREE.pop(0).is_none());
/// # FREE.pop(1);
/// # Ok::<(), rseq_core::percpu::Full<NonNull<u8>>>(())
/// ```
#[derive(Debug)]
pub struct Stacks<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index = ByCpu> {
    arrays: Arrays<T, CLASSES, ITEMS, K>,
    classes: [Class; CLASSES],
}

/// Stands for classes that do not exist.
const NONE: Class = Class::new(0, 0, 0);

impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> Stacks<T, CLASSES, ITEMS, K> {
    /// Empty stacks, whose classes have these capacities. They use no memory before their first use.
    ///
    /// # Panics
    ///
    /// If the capacities are more than `ITEMS` together: at build time, in a static.
    pub const fn new(capacities: [usize; CLASSES]) -> Self {
        let mut classes = [NONE; CLASSES];
        let (mut number, mut first) = (0, 0);
        while number < CLASSES {
            let capacity = capacities[number];
            assert!(capacity <= ITEMS - first, "the classes have more capacity than there is room for");
            classes[number] = Class::new(number, first, capacity);
            first += capacity;
            number += 1;
        }
        Self { arrays: Arrays::new(), classes }
    }

    #[inline]
    fn class(&self, class: usize) -> Option<Class> {
        self.classes.get(class).copied()
    }

    /// Pushes an item: see [`Stack::push`](super::Stack::push).
    ///
    /// # Errors
    ///
    /// The item, if the array is full.
    #[inline]
    pub fn push(&self, class: usize, item: T) -> Result<(), Full<T>> {
        match self.class(class) {
            Some(class) => self.arrays.push(class, item),
            None => Err(Full(item)),
        }
    }

    /// Pops an item: see [`Stack::pop`](super::Stack::pop).
    #[inline]
    pub fn pop(&self, class: usize) -> Option<T> {
        self.arrays.pop(self.class(class)?)
    }

    /// Pushes an item on the array of this CPU, by a section or not at all: the shared array is not used, a closed
    /// array stays closed, and a thread without sections pushes nothing. It is fewer instructions than
    /// [`push`](Self::push), for programs that handle all these cases themselves.
    ///
    /// # Errors
    ///
    /// The item, if it was not pushed.
    #[inline]
    pub fn push_local(&self, class: usize, item: T) -> Result<(), Full<T>> {
        match self.classes.get(class) {
            Some(class) => self.arrays.push_local(class, item),
            None => Err(Full(item)),
        }
    }

    /// Pops the item that was pushed last on this CPU, by a section or not at all, as [`push_local`](Self::push_local)
    /// pushes.
    #[inline]
    pub fn pop_local(&self, class: usize) -> Option<T> {
        self.arrays.pop_local(self.classes.get(class)?)
    }

    /// Pushes items of a batch: see [`Stack::push_batch`](super::Stack::push_batch).
    #[inline]
    pub fn push_batch<const M: usize>(&self, class: usize, batch: &mut Batch<T, M>) -> usize {
        self.class(class).map_or(0, |class| self.arrays.push_batch(class, batch))
    }

    /// Pops items to a batch: see [`Stack::pop_batch`](super::Stack::pop_batch).
    #[inline]
    pub fn pop_batch<const M: usize>(&self, class: usize, batch: &mut Batch<T, M>) -> usize {
        self.class(class).map_or(0, |class| self.arrays.pop_batch(class, batch))
    }

    /// Takes all items of a class out of the array of one CPU: see [`Stack::drain`](super::Stack::drain).
    ///
    /// # Errors
    ///
    /// [`RemoteError::Busy`] and [`RemoteError::NoFence`]; the array is unchanged.
    pub fn drain(&self, class: usize, index: u32, each: impl FnMut(T)) -> Result<usize, RemoteError> {
        self.class(class).map_or(Ok(0), |class| self.arrays.evict(class, index, each))
    }

    /// Drains the arrays of all CPUs, and the shared one: see [`Stack::drain_all`](super::Stack::drain_all).
    ///
    /// # Errors
    ///
    /// As for [`drain`](Self::drain), at the first array that cannot be drained.
    pub fn drain_all(&self, class: usize, each: impl FnMut(T)) -> Result<usize, RemoteError> {
        self.class(class).map_or(Ok(0), |class| self.arrays.evict_all(class, each))
    }

    /// Changes how many items of a class one CPU's array holds, at most the capacity of the class: see
    /// [`Stack::resize`](super::Stack::resize).
    ///
    /// # Errors
    ///
    /// [`RemoteError`]; the array is unchanged.
    pub fn resize(&self, class: usize, index: u32, capacity: usize, each: impl FnMut(T)) -> Result<usize, RemoteError> {
        self.class(class).map_or(Err(RemoteError::TooLarge), |class| self.arrays.resize(class, index, capacity, each))
    }

    /// The number of items of a class in the array of one CPU, which may change at any time.
    pub fn len_of(&self, class: usize, index: u32) -> usize {
        self.class(class).map_or(0, |class| self.arrays.len_of(class, index))
    }

    /// How many items of a class the array of one CPU holds.
    pub fn capacity_of(&self, class: usize, index: u32) -> usize {
        self.class(class).map_or(0, |class| self.arrays.capacity_of(class, index))
    }

    /// The number of items of a class in all arrays, including the shared one.
    pub fn len(&self, class: usize) -> usize {
        self.class(class).map_or(0, |class| self.arrays.len(class))
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self, class: usize) -> bool {
        self.len(class) == 0
    }
}

impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> Drop for Stacks<T, CLASSES, ITEMS, K> {
    fn drop(&mut self) {
        for class in self.classes {
            self.arrays.clear(class);
        }
    }
}
