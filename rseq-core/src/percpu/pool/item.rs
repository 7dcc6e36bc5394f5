//! A value that a pool has given out.

use super::Lists;
use crate::percpu::Node;
use crate::{ByCpu, Index};
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// A value popped from a [`Pool`](super::Pool). Dropping it pushes the value back.
#[must_use = "the value goes back to its pool when this is dropped"]
pub struct PoolItem<'p, T, K: Index = ByCpu> {
    lists: &'p Lists<T, K>,
    node: &'p Node<T>,
    value: PhantomData<&'p mut T>,
}

impl<'p, T, K: Index> PoolItem<'p, T, K> {
    /// # Safety
    ///
    /// The node belongs to these lists, is on none of them, and has no other item.
    #[inline]
    pub(super) unsafe fn new(lists: &'p Lists<T, K>, node: &'p Node<T>) -> Self {
        Self { lists, node, value: PhantomData }
    }
}

impl<T, K: Index> Drop for PoolItem<'_, T, K> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the node belongs to these lists and is on none of them, and its only item ends here.
        unsafe { self.lists.push(self.node) };
    }
}

impl<T, K: Index> Deref for PoolItem<'_, T, K> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: each node that is on no list has one item, and this is it; `&self` excludes mutable references.
        unsafe { &*self.node.value.get() }
    }
}

impl<T, K: Index> DerefMut for PoolItem<'_, T, K> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `&mut self` excludes all other references.
        unsafe { &mut *self.node.value.get() }
    }
}

impl<T: fmt::Debug, K: Index> fmt::Debug for PoolItem<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PoolItem").field(&**self).finish()
    }
}
