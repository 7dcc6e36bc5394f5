//! The lists of a pool.

#[cfg(all(test, not(miri), not(rseq_stub)))]
mod forks;

use super::pool_slot::Slot;
use super::{CAPACITY, PoolItem, pool_sections};
use crate::ops::this_cpu::Error;
use crate::percpu::Node;
use crate::percpu::chain::{Chain, SharedChain};
use crate::percpu::closing::Closing;
use crate::percpu::copies::Copies;
use crate::percpu::fence::fence_index;
use crate::percpu::memory::STRIDE;
use crate::sys::MembarrierError;
use crate::{Committed, Index, OutOfRange};
use core::ptr;

/// Nodes by their addresses. Each one is in one list, or in one item.
#[derive(Debug)]
pub(in crate::percpu) struct Lists<T, K: Index> {
    copies: Copies<Slot, K>,
    shared: SharedChain<T>,
    closing: Closing,
    /// The most nodes on a CPU's list.
    limit: usize,
}

impl<T, K: Index> Lists<T, K> {
    pub(super) const fn new(limit: usize) -> Self {
        assert!(limit <= CAPACITY);
        Self { copies: Copies::new(), shared: SharedChain::new(), closing: Closing::new(), limit }
    }

    /// # Safety
    ///
    /// The nodes are used by these lists and their items only, as long as these exist.
    pub(super) unsafe fn add(&self, nodes: &mut [Node<T>]) {
        let mut chain = Chain::new();
        for node in nodes {
            // SAFETY: it is a node, which by the caller's contract is given to these lists.
            unsafe { chain.push(ptr::from_mut(node).expose_provenance()) };
        }
        self.shared.give(chain);
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<PoolItem<'_, T, K>> {
        let node = match self.pop_own() {
            Some(Some(node)) => node,
            Some(None) => self.refill()?,
            None => self.shared.take(1).pop()?,
        };
        // SAFETY: the node was taken off its list, so it is on none and has no item.
        Some(unsafe { self.item(node) })
    }

    /// # Safety
    ///
    /// `node` is the address of a node that belongs to these lists, is on none of them, and has no other item.
    #[inline]
    pub(super) unsafe fn item(&self, node: usize) -> PoolItem<'_, T, K> {
        // SAFETY: by the contract of `add`, nodes of these lists exist as long as these and their items; the rest is
        // the caller's contract.
        unsafe { PoolItem::new(self, &*ptr::with_exposed_provenance(node)) }
    }

    /// # Safety
    ///
    /// The node belongs to these lists and is on none of them, and the caller no longer uses it.
    #[inline]
    pub(super) unsafe fn push(&self, node: &Node<T>) {
        let node = ptr::from_ref(node).expose_provenance();
        match self.push_own(node) {
            Some(true) => {}
            Some(false) => self.flush(node),
            // SAFETY: the caller's contract; the section has not pushed the node.
            None => unsafe { self.shared.give_one(node) },
        }
    }

    /// Pops a node off this index's list. None without sections; Some(None) if the list is empty or closed.
    #[inline]
    fn pop_own(&self) -> Option<Option<usize>> {
        self.copies.run(|token, base, len| {
            // SAFETY: `base` is the first of `len` slots that lie STRIDE bytes apart, as `Copies` has them. Each is a
            // `Slot`: a count, and 63 words. A closed one has a count above 63.
            match unsafe { pool_sections::pop::<STRIDE, _, _>(token, base.cast(), len) } {
                Ok(node) => Ok(Some(node)),
                Err(Error::CompareFailed) => Ok(None),
                Err(Error::OutOfRange) => Err(OutOfRange),
            }
        })
    }

    /// Pushes a node on this index's list, and returns whether the list took it: not if it is full or closed. None
    /// without sections.
    #[inline]
    fn push_own(&self, node: usize) -> Option<bool> {
        let limit = self.limit;
        self.copies.run(move |token, base, len| {
            // SAFETY: as in `pop_own`; `limit` is 63 at most.
            match unsafe { pool_sections::push::<STRIDE, _, _>(token, base.cast(), len, limit, node) } {
                Ok(Committed) => Ok(true),
                Err(Error::CompareFailed) => Ok(false),
                Err(Error::OutOfRange) => Err(OutOfRange),
            }
        })
    }

    /// Nodes that are moved at a time.
    fn batch(&self) -> usize {
        self.limit.div_ceil(2)
    }

    /// Pops a node off the shared list, and moves more of them to this CPU's list.
    #[cold]
    #[inline(never)]
    fn refill(&self) -> Option<usize> {
        if self.closing.reopen_after_fork(&self.copies) {
            if let Some(Some(node)) = self.pop_own() {
                return Some(node);
            }
        }
        let mut chain = self.shared.take(self.batch().max(1));
        let first = chain.pop();
        while let Some(node) = chain.pop() {
            if self.push_own(node) != Some(true) {
                // SAFETY: the node was in the chain, and now in no list.
                unsafe { chain.push(node) };
                self.shared.give(chain);
                break;
            }
        }
        first
    }

    /// Pushes a node, which this CPU's list has not taken, on the shared list, together with nodes of that list.
    #[cold]
    #[inline(never)]
    fn flush(&self, node: usize) {
        if self.closing.reopen_after_fork(&self.copies) && self.push_own(node) == Some(true) {
            return;
        }
        let mut chain = Chain::new();
        // SAFETY: the node is in no list.
        unsafe { chain.push(node) };
        for _ in 0..self.batch() {
            let Some(Some(node)) = self.pop_own() else { break };
            // SAFETY: the node was taken off its list.
            unsafe { chain.push(node) };
        }
        self.shared.give(chain);
    }

    pub(super) fn len(&self) -> usize {
        self.copies.iter().map(Slot::len).sum::<usize>() + self.shared.len()
    }

    /// Takes the nodes of the shared list.
    pub(super) fn take_shared(&self) -> Chain<T> {
        self.shared.take(usize::MAX)
    }

    /// Gives nodes of these lists to the shared one.
    pub(super) fn give_shared(&self, chain: Chain<T>) {
        self.shared.give(chain);
    }

    pub(super) fn reclaim(&self) -> Result<usize, MembarrierError> {
        self.closing.with(&self.copies, || {
            (0..).zip(self.copies.iter()).try_fold(0, |sum, (index, slot)| Ok(sum + self.drain(index, slot)?))
        })
    }

    fn drain(&self, index: u32, slot: &Slot) -> Result<usize, MembarrierError> {
        let mut chain = Chain::new();
        // SAFETY: a node that is drained is on no list.
        let drained = slot.drain(|| fence_index::<K>(index), |node| unsafe { chain.push(node) })?;
        if drained > 0 {
            self.shared.give(chain);
        }
        Ok(drained)
    }
}
