//! A free list for each CPU, over nodes that the caller gives.

use super::error::{IndexError, in_slot};
use super::{Node, PossibleCpus, SlotStorage, Slots, SlotsError};
use crate::ops::this_cpu;
use crate::{Area, ByCpu, Index, OutOfRange, Token};
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Values in a free list for each CPU.
///
/// Popping and pushing are a handful of plain instructions. [`pop`](Self::pop) returns None if the list of this
/// thread's CPU is empty, even if another CPU's list is not: an item that is pushed on a CPU can only be popped on that
/// CPU.
///
/// `K` is the index of the lists: [`ByCpu`] or [`ByMmCid`](crate::ByMmCid). Operations take a token by the same
/// index, since a thread that pops by CPU and one that pops by concurrency ID could change the same list at once:
///
/// ```compile_fail,E0308
/// # use rseq_core::{Area, ByMmCid, Token, percpu::SlotPool};
/// fn mixed<A: Area>(pool: &SlotPool<'_, u8, ByMmCid>, token: Token<'_, A>) {
///     let _ = pool.pop(token);
/// }
/// ```
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::{Node, SlotPool, PossibleCpus, SlotStorage};
/// # use rseq_core::Registration;
///
/// let mut heads = SlotStorage::<1024>::new();
/// let mut nodes = [const { Node::new([0u8; 256]) }; 128];
/// let cpus = PossibleCpus::read()?;
/// let pool = SlotPool::new(&mut heads, &cpus, &mut nodes)?;
/// # let Ok(registration) = Registration::adopt() else { return Ok(()) };
/// let token = registration.token();
/// if let Some(mut buffer) = pool.pop(token)? {
///     buffer[0] = 1;
///     pool.push(token, buffer).map_err(|(error, _)| error)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// By concurrency ID, and for as long as the program runs:
///
/// ```
/// use rseq_core::ByMmCid;
/// use rseq_core::percpu::{Node, SlotPool, PossibleCpus, SlotStorage};
/// # use rseq_core::Registration;
///
/// let heads = Box::leak(Box::new(SlotStorage::<1024, ByMmCid>::new()));
/// let nodes = (0..64).map(|_| Node::new(Vec::<u8>::new())).collect::<Vec<_>>().leak();
/// let pool: SlotPool<'static, Vec<u8>, ByMmCid> = SlotPool::new(heads, &PossibleCpus::read()?, nodes)?;
/// # let Ok(registration) = Registration::adopt() else { return Ok(()) };
/// if let Some(token) = registration.token().by_mm_cid() {
///     let buffer = pool.pop(token)?;
///     assert!(buffer.is_none_or(|buffer| buffer.is_empty()));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SlotPool<'a, T, K = ByCpu, const STRIDE: usize = 64> {
    heads: Slots<'a, K, STRIDE>,
    nodes: &'a [Node<T>],
}

/// A value popped from a [`SlotPool`]. [`SlotPool::push`] puts it back; an item that is dropped is lost to the pool.
#[derive(Debug)]
#[must_use = "an item that is dropped is lost to its pool"]
pub struct Item<'a, T> {
    node: &'a Node<T>,
    value: PhantomData<&'a mut T>,
}

/// Why a [`SlotPool`] did not accept an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushError {
    /// The item belongs to another pool.
    Foreign,
    /// The thread has no list to push the item on.
    Index(IndexError),
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("the item belongs to another pool"),
            Self::Index(error) => error.fmt(f),
        }
    }
}

impl From<IndexError> for PushError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl core::error::Error for PushError {}

impl<T> Deref for Item<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: each node that is in no list has one item, and this is it; `&self` excludes mutable references.
        unsafe { &*self.node.value.get() }
    }
}

impl<T> DerefMut for Item<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `&mut self` excludes all other references.
        unsafe { &mut *self.node.value.get() }
    }
}

impl<'a, T: Send, K: Index, const STRIDE: usize> SlotPool<'a, T, K, STRIDE> {
    /// A pool of `nodes`, which are dealt out in turn to the lists of all CPUs of `cpus`. By CPU, a list without a CPU
    /// gets none; by concurrency ID there is a list for each number that a thread can have.
    ///
    /// The CPUs that are possible and not online get nodes too. To leave them out, give the online ones
    /// (`/sys/devices/system/cpu/online`, [`PossibleCpus::parse`]) and enough slots in `heads` for the others.
    ///
    /// The previous contents of `heads` are overwritten. They are memory of this process: lists hold addresses, which
    /// mean nothing in another one.
    ///
    /// # Errors
    ///
    /// [`SlotsError::TooFew`].
    pub fn new<const SLOTS: usize>(
        heads: &'a mut SlotStorage<SLOTS, K, STRIDE>,
        cpus: &PossibleCpus,
        nodes: &'a mut [Node<T>],
    ) -> Result<Self, SlotsError> {
        Ok(Self::deal(heads.slots(cpus)?, cpus, nodes))
    }

    /// The same as [`new`](Self::new) over words of the program's own, as in [`Slots::new`].
    ///
    /// # Errors
    ///
    /// [`SlotsError`].
    pub fn over(
        heads: &'a mut [AtomicUsize],
        cpus: &PossibleCpus,
        nodes: &'a mut [Node<T>],
    ) -> Result<Self, SlotsError> {
        Ok(Self::deal(Slots::exclusive(heads, cpus)?, cpus, nodes))
    }

    /// `heads` are borrowed exclusively for 'a.
    fn deal(heads: Slots<'a, K, STRIDE>, cpus: &PossibleCpus, nodes: &'a mut [Node<T>]) -> Self {
        let nodes = &*nodes;
        heads.words().for_each(|head| head.store(0, Ordering::Relaxed));
        let lists = cpus.indices::<K>().filter_map(|index| heads.word(index));
        for (node, head) in nodes.iter().zip(lists.cycle()) {
            node.link.store(head.load(Ordering::Relaxed), Ordering::Relaxed);
            head.store(ptr::from_ref(node).expose_provenance(), Ordering::Relaxed);
        }
        Self { heads, nodes }
    }

    /// Pops a value from the list of this thread's index; None if that list is empty.
    ///
    /// # Errors
    ///
    /// [`IndexError`] if the index has no slot or the thread's registration has ended.
    #[inline]
    pub fn pop<A: Area>(&self, token: Token<'_, A, K>) -> Result<Option<Item<'a, T>>, IndexError> {
        let (base, len) = (self.heads.as_ptr(), self.heads.len());
        // SAFETY: `base` is the first of `len` slots, which are borrowed exclusively for 'a, so that only this pool
        // reaches them. Each holds 0 or the address of one of `nodes`, whose first word is its link and which live for
        // 'a.
        let popped = in_slot!(token, len, unsafe { try_pop::<STRIDE, A, K>(token, base, len) })?;
        let Some(popped) = popped else { return Ok(None) };
        // SAFETY: the section committed, so `popped` is the address of one of `nodes`, which is now in no list: only
        // the item made here reaches its value. All sections of this pool use the same kind of index, so no other CPU
        // has popped it at the same time.
        let node = unsafe { &*ptr::with_exposed_provenance::<Node<T>>(popped) };
        Ok(Some(Item { node, value: PhantomData }))
    }

    /// Pushes an item on the list of this thread's index.
    ///
    /// # Errors
    ///
    /// The item, and [`PushError::Foreign`] if it belongs to another pool, or [`PushError::Index`] as for
    /// [`pop`](Self::pop).
    #[inline]
    pub fn push<A: Area>(&self, token: Token<'_, A, K>, item: Item<'a, T>) -> Result<(), (PushError, Item<'a, T>)> {
        if !self.nodes.as_ptr_range().contains(&ptr::from_ref(item.node)) {
            return Err((PushError::Foreign, item));
        }
        let (base, len) = (self.heads.as_ptr(), self.heads.len());
        let link = item.node.link.as_ptr();
        // SAFETY: `base` and `len` as in `pop`. The node is one of `nodes` and in no list, as an item holds it; its
        // link is atomic.
        let pushed = in_slot!(token, len, unsafe { this_cpu::push::<STRIDE, A, K>(token, base, len, link) });
        pushed.map(|_| ()).map_err(|error| (error.into(), item))
    }
}

/// [`this_cpu::pop`]; None is an empty list.
///
/// # Safety
///
/// As [`this_cpu::pop`].
#[inline(always)]
unsafe fn try_pop<const STRIDE: usize, A: Area, K: Index>(
    token: Token<'_, A, K>,
    base: *mut usize,
    len: usize,
) -> Result<Option<usize>, OutOfRange> {
    // SAFETY: the caller's contract.
    match unsafe { this_cpu::pop::<STRIDE, A, K>(token, base, len) } {
        Ok(popped) => Ok(Some(popped)),
        Err(this_cpu::Error::CompareFailed) => Ok(None),
        Err(this_cpu::Error::OutOfRange) => Err(OutOfRange),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::{ByMmCid, OwnArea};
    use std::vec::Vec;

    /// How many nodes each list has.
    fn dealt<K: Index>(cpus: &str, nodes: usize) -> Vec<usize> {
        let mut heads = SlotStorage::<8, K>::new();
        let mut nodes: Vec<_> = (0..nodes).map(Node::new).collect();
        let pool = SlotPool::new(&mut heads, &PossibleCpus::parse(cpus.as_bytes()).unwrap(), &mut nodes).unwrap();
        pool.heads.values().map(|head| length(&pool, head)).collect()
    }

    fn length<K>(pool: &SlotPool<'_, usize, K>, mut link: usize) -> usize {
        let mut length = 0;
        while let Some(node) = pool.nodes.iter().find(|node| ptr::from_ref(*node).addr() == link) {
            (length, link) = (length + 1, node.link.load(Ordering::Relaxed));
        }
        assert_eq!(link, 0, "a link leads out of the nodes");
        length
    }

    #[test]
    fn nodes_are_dealt_over_indices_that_threads_can_have() {
        assert_eq!(dealt::<ByCpu>("0-1", 128), [64, 64, 0, 0, 0, 0, 0, 0]);
        assert_eq!(dealt::<ByCpu>("0,3,6", 128), [43, 0, 0, 43, 0, 0, 42, 0]);
        assert_eq!(dealt::<ByMmCid>("0,3,6", 128), [43, 43, 42, 0, 0, 0, 0, 0]);
        assert_eq!(dealt::<ByMmCid>("7", 1), [1, 0, 0, 0, 0, 0, 0, 0]);
    }

    /// The own area of a program whose libc registers, or of a thread that has not registered.
    #[test]
    fn an_unregistered_thread_is_named() {
        let (mut heads, mut nodes) = (SlotStorage::<8>::new(), [Node::new(1u8)]);
        let pool = SlotPool::new(&mut heads, &PossibleCpus::parse(b"0-7").unwrap(), &mut nodes).unwrap();
        let token = Token::new(OwnArea);
        assert_eq!(pool.pop(token).map(|_| ()), Err(IndexError::NotRegistered));
        let item = Item { node: &pool.nodes[0], value: PhantomData };
        let refused = pool.push(token, item).map_err(|(error, _)| error);
        assert_eq!(refused, Err(PushError::Index(IndexError::NotRegistered)));
    }
}
