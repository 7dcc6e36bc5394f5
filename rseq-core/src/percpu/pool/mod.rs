//! A pool of values, with a list for each CPU and one that all share.

mod item;
mod items;
mod lists;
mod pool_sections;
mod pool_slot;

use crate::percpu::Node;
use crate::percpu::node::Invariant;
use crate::sys::MembarrierError;
use crate::{ByCpu, Index};
use core::marker::PhantomData;
use lists::Lists;

pub use item::PoolItem;
pub use items::PoolItems;

/// The most nodes on a CPU's list, which is then 512 bytes large.
const CAPACITY: usize = 63;

/// A pool of values: any thread pops one, and pushes it back by dropping it, at the cost of a few plain instructions.
///
/// Each CPU has its own list of values. If it is empty, [`pop`](Self::pop) refills it from a list that all CPUs share;
/// a full one is flushed to that list. Both move batches, under a lock. So a value that was pushed on one CPU can be
/// popped on another, unless it is among the last ones of an idle CPU: [`reclaim`](Self::reclaim) moves these.
///
/// Threads without sections ([`status`](crate::status) has the cause) use the shared list.
///
/// A child of `fork` has the values that were in lists. Those that other threads had popped, or were moving from one
/// list to another, are lost to it.
///
/// `K` is the index of the lists: [`ByCpu`], or [`ByMmCid`](crate::ByMmCid), with which a process with few threads
/// keeps few values in lists that it does not use.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::{Node, Pool};
///
/// static BUFFERS: Pool<[u8; 256]> = Pool::new();
///
/// BUFFERS.add((0..64).map(|_| Node::new([0; 256])).collect::<Vec<_>>().leak());
/// std::thread::scope(|scope| {
///     for byte in 1..9 {
///         scope.spawn(move || {
///             let mut buffer = BUFFERS.pop().expect("more buffers than threads");
///             buffer.fill(byte);
///         });
///     }
/// });
/// assert_eq!(BUFFERS.len(), 64);
/// ```
///
/// Over nodes that live as long as the pool:
///
/// ```
/// # use rseq_core::percpu::{Node, Pool};
/// let mut nodes = [const { Node::new(String::new()) }; 8];
/// let pool: Pool<String> = Pool::new();
/// pool.add(&mut nodes);
/// pool.pop().unwrap().push_str("kept");
/// ```
///
/// They have to live that long:
///
/// ```compile_fail,E0597
/// # use rseq_core::percpu::{Node, Pool};
/// let pool: Pool<u8> = Pool::new();
/// {
///     let mut nodes = [Node::new(1u8)];
///     pool.add(&mut nodes);
/// }
/// drop(pool.pop());
/// ```
#[derive(Debug)]
pub struct Pool<'a, T, K: Index = ByCpu> {
    lists: Lists<T, K>,
    /// Keeps the lifetime exact: nodes live for 'a, and items for less.
    nodes: Invariant<'a>,
}

impl<'a, T, K: Index> Pool<'a, T, K> {
    /// An empty pool, whose CPUs keep 32 values each.
    pub const fn new() -> Self {
        Self::with_limit(32)
    }

    /// An empty pool, whose CPUs keep `limit` values each, 63 at most. Half of them are moved at a time.
    pub const fn with_limit(limit: usize) -> Self {
        let limit = if limit < CAPACITY { limit } else { CAPACITY };
        Self { lists: Lists::new(limit), nodes: PhantomData }
    }

    /// Adds nodes, at any time.
    pub fn add(&self, nodes: &'a mut [Node<T>]) {
        // SAFETY: the nodes are borrowed exclusively for 'a, so this pool alone uses them. Its items borrow the pool,
        // and `nodes` keeps the compiler from shortening 'a, so neither outlives them.
        unsafe { self.lists.add(nodes) };
    }

    /// Pops a value, if possible the one that was last pushed on this CPU. None if this CPU's list and the shared one
    /// are both empty, even if another CPU's list is not: [`drain`](Self::drain) takes every value.
    #[inline]
    pub fn pop(&self) -> Option<PoolItem<'_, T, K>> {
        self.lists.pop()
    }

    /// How many values are in lists. Exact while no other thread pops or pushes.
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves the values that CPUs keep to the shared list, where every thread finds them, and returns how many. It
    /// costs a system call for each CPU that keeps some, which interrupts that CPU if this process runs there (Linux
    /// 5.10).
    ///
    /// # Errors
    ///
    /// [`MembarrierError`] if the kernel refuses the fence; the remaining lists are unchanged.
    pub fn reclaim(&self) -> Result<usize, MembarrierError> {
        self.lists.reclaim()
    }

    /// Takes all values, wherever they are. What other threads push meanwhile may be left. It costs what
    /// [`reclaim`](Self::reclaim) does.
    ///
    /// # Errors
    ///
    /// [`MembarrierError`] if the kernel refuses the fence; all values are still in the pool.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::percpu::{Node, Pool};
    ///
    /// let mut nodes = [const { Node::new(Vec::new()) }; 8];
    /// let pool: Pool<Vec<u8>> = Pool::new();
    /// pool.add(&mut nodes);
    /// pool.pop().unwrap().push(1);
    /// assert_eq!(pool.drain()?.map(|value| value.len()).sum::<usize>(), 1);
    /// assert_eq!(pool.len(), 8);
    /// # Ok::<(), rseq_core::sys::MembarrierError>(())
    /// ```
    pub fn drain(&self) -> Result<PoolItems<'_, T, K>, MembarrierError> {
        self.lists.reclaim()?;
        Ok(PoolItems::new(&self.lists))
    }
}

impl<T, K: Index> Default for Pool<'_, T, K> {
    fn default() -> Self {
        Self::new()
    }
}
