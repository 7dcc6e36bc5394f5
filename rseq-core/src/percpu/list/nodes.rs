//! Nodes that were taken out of a list.

use crate::percpu::Node;
use crate::percpu::chain::Chain;
use core::marker::PhantomData;
use core::ptr;

/// Nodes taken out of a [`List`](super::List), last in, first out. Those that are left when it is dropped are on no
/// list.
#[derive(Debug)]
#[must_use = "nodes that are dropped are in no list any more"]
pub struct Nodes<'a, T> {
    chain: Chain<T>,
    nodes: PhantomData<&'a mut Node<T>>,
}

impl<T> Nodes<'_, T> {
    pub(super) const fn new(chain: Chain<T>) -> Self {
        Self { chain, nodes: PhantomData }
    }
}

impl<'a, T> Iterator for Nodes<'a, T> {
    type Item = &'a mut Node<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.chain.pop()?;
        // SAFETY: the node was borrowed exclusively for 'a, and the chain that owned it has released it.
        Some(unsafe { &mut *ptr::with_exposed_provenance_mut(node) })
    }
}
