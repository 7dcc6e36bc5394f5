//! A free list for each CPU, over nodes that the caller gives.

use super::Slots;
use super::SlotsError;
use crate::section::here::{pop_here, push_here};
use crate::{Area, ByCpu, Index, OutOfRange, Refused, Token};
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Memory for one value of a [`Pool`], and its link.
#[repr(C)]
#[derive(Debug)]
pub struct Node<T> {
    link: AtomicUsize,
    value: UnsafeCell<T>,
}

impl<T> Node<T> {
    /// A node that holds `value`.
    pub const fn new(value: T) -> Self {
        Self { link: AtomicUsize::new(0), value: UnsafeCell::new(value) }
    }
}

// SAFETY: the link is atomic, and the value is reached only through the one `Item` that holds the node, which gives it from
// thread to thread like a `&mut T`.
unsafe impl<T: Send> Sync for Node<T> {}

/// Values to take and to give back, from a free list that each CPU has for itself.
///
/// Taking and giving back are a handful of plain instructions. A CPU whose list is empty takes nothing, even if another's is
/// not: what one CPU's threads give back is there for that CPU's threads.
///
/// The type says which index the lists go by, since two threads may share a slot if one takes by CPU and the other by
/// concurrency ID:
///
/// ```compile_fail
/// # use rseq_core::{Area, ByMmCid, Token, percpu::Pool};
/// fn mixed<A: Area>(pool: &Pool<'_, u8, ByMmCid>, token: Token<'_, A>) {
///     let _ = pool.take(token, token.cpu_index());
/// }
/// ```
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::{CacheAligned, Node, Pool, PossibleCpus};
///
/// let mut heads = CacheAligned::<{ 64 * 8 }>::new();
/// let mut nodes = [const { Node::new([0u8; 256]) }; 128];
/// let cpus = PossibleCpus::read()?;
/// # if cpus.slots_by_cpu() > 64 { return Ok(()); }
/// let pool: Pool<_> = Pool::new(&mut heads, cpus.slots_by_cpu(), &mut nodes)?;
/// # let Ok(registration) = rseq_core::Registration::adopt() else { return Ok(()) };
/// let token = registration.token();
/// if let Some(mut buffer) = pool.take(token, token.cpu_index())? {
///     buffer[0] = 1;
///     pool.give(token, token.cpu_index(), buffer).map_err(|(error, _)| error)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pool<'a, T, K = ByCpu, const STRIDE: usize = 64> {
    heads: Slots<'a, STRIDE>,
    nodes: &'a [Node<T>],
    kind: PhantomData<K>,
}

/// A value taken from a [`Pool`]. Dropped, it is lost to the pool; [`Pool::give`] gives it back.
#[derive(Debug)]
pub struct Item<'a, T> {
    node: &'a Node<T>,
    value: PhantomData<&'a mut T>,
}

/// Why a [`Pool`] did not take an item back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveError {
    /// The item is another pool's.
    Foreign,
    /// See [`OutOfRange`].
    OutOfRange,
}

impl fmt::Display for GiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("the item belongs to another pool"),
            Self::OutOfRange => OutOfRange.fmt(f),
        }
    }
}

impl core::error::Error for GiveError {}

impl<T> Deref for Item<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a node in no list has one item, which this is; `&self` keeps mutable references away.
        unsafe { &*self.node.value.get() }
    }
}

impl<T> DerefMut for Item<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `&mut self` keeps all other references away.
        unsafe { &mut *self.node.value.get() }
    }
}

impl<'a, T: Send, K, const STRIDE: usize> Pool<'a, T, K, STRIDE> {
    /// A pool of `nodes`, dealt out over the lists of at least `needed` slots in `heads`: see
    /// [`PossibleCpus`](super::PossibleCpus). The words of `heads` are overwritten. All of it is memory of this process: lists
    /// hold addresses, which mean nothing in another.
    ///
    /// # Errors
    ///
    /// [`SlotsError`].
    pub fn new(heads: &'a mut [AtomicUsize], needed: usize, nodes: &'a mut [Node<T>]) -> Result<Self, SlotsError> {
        let heads = Slots::<STRIDE>::new(heads, needed)?;
        let nodes = &*nodes;
        heads.iter().for_each(|head| head.store(0, Ordering::Relaxed));
        for (node, head) in nodes.iter().zip(heads.iter().cycle().take(nodes.len())) {
            node.link.store(head.load(Ordering::Relaxed), Ordering::Relaxed);
            head.store(ptr::from_ref(node).expose_provenance(), Ordering::Relaxed);
        }
        Ok(Self { heads, nodes, kind: PhantomData })
    }

    /// Takes a value from the list of this thread's index; None if that list is empty.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] where the index has no slot, or the thread's registration has ended.
    #[inline]
    pub fn take<A, I>(&self, token: Token<'_, A>, index: I) -> Result<Option<Item<'a, T>>, OutOfRange>
    where
        A: Area,
        I: Index<Kind = K>,
    {
        let mut popped = 0usize;
        // SAFETY: `heads` are `len` slots that nobody else reaches, as they are borrowed mutably for 'a. Each holds 0 or the
        // address of one of `nodes`, whose first word is its link and which live for 'a. `popped` is a local.
        let result =
            unsafe { pop_here::<STRIDE, A, I>(token, index, self.heads.base(), self.heads.len(), &raw mut popped) };
        match result {
            Ok(_) => {
                // SAFETY: the section committed, so `popped` is the address of one of `nodes`, now in no list: only the
                // item made here reaches its value. All sections of this pool go by the same kind of index, so no other
                // CPU popped it at the same time.
                let node = unsafe { &*ptr::with_exposed_provenance::<Node<T>>(popped) };
                Ok(Some(Item { node, value: PhantomData }))
            }
            Err(Refused::CompareFailed) => Ok(None),
            Err(Refused::OutOfRange) => Err(OutOfRange),
        }
    }

    /// Gives a value back, to the list of this thread's index.
    ///
    /// # Errors
    ///
    /// The item, and [`GiveError::Foreign`] if it is another pool's, or [`GiveError::OutOfRange`] as for [`take`](Self::take).
    #[inline]
    pub fn give<A, I>(&self, token: Token<'_, A>, index: I, item: Item<'a, T>) -> Result<(), (GiveError, Item<'a, T>)>
    where
        A: Area,
        I: Index<Kind = K>,
    {
        if !self.nodes.as_ptr_range().contains(&ptr::from_ref(item.node)) {
            return Err((GiveError::Foreign, item));
        }
        let link = item.node.link.as_ptr();
        // SAFETY: `heads` as in `take`. The node is one of `nodes` and in no list, as an item holds it; its link is atomic.
        match unsafe { push_here::<STRIDE, A, I>(token, index, self.heads.base(), self.heads.len(), link) } {
            Ok(_) => Ok(()),
            Err(OutOfRange) => Err((GiveError::OutOfRange, item)),
        }
    }
}
