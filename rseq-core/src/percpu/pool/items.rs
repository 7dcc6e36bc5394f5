//! Values that a pool has given out together.

use super::{Lists, PoolItem};
use crate::percpu::chain::Chain;
use crate::{ByCpu, Index};
use core::mem;

/// The values that [`Pool::drain`](super::Pool::drain) took. Those that are left when it is dropped are in the pool
/// again.
#[derive(Debug)]
pub struct PoolItems<'p, T, K: Index = ByCpu> {
    lists: &'p Lists<T, K>,
    /// Nodes of these lists, which no item has.
    chain: Chain<T>,
}

impl<'p, T, K: Index> PoolItems<'p, T, K> {
    pub(super) fn new(lists: &'p Lists<T, K>) -> Self {
        Self { lists, chain: lists.take_shared() }
    }
}

impl<'p, T, K: Index> Iterator for PoolItems<'p, T, K> {
    type Item = PoolItem<'p, T, K>;

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.chain.pop()?;
        // SAFETY: the chain held a node of these lists, which was on none of them and had no item.
        Some(unsafe { self.lists.item(node) })
    }
}

impl<T, K: Index> Drop for PoolItems<'_, T, K> {
    fn drop(&mut self) {
        self.lists.give_shared(mem::replace(&mut self.chain, Chain::new()));
    }
}
