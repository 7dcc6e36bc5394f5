//! Nodes that are linked to each other, and those that all CPUs share.

use super::Node;
use super::lock::SpinLock;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

/// Nodes that are linked to each other, all of which this owns: the address of the first one, or 0.
#[derive(Debug)]
pub(super) struct Chain<T> {
    first: usize,
    nodes: PhantomData<*mut Node<T>>,
}

// SAFETY: it owns its nodes, whose values then go to other threads like a `&mut T`.
unsafe impl<T: Send> Send for Chain<T> {}

impl<T> Chain<T> {
    pub(super) const fn new() -> Self {
        Self { first: 0, nodes: PhantomData }
    }

    /// # Safety
    ///
    /// `first` is 0 or the address of a node with exposed provenance, whose link is in turn 0 or such an address. Only
    /// this chain owns these nodes, and they outlive it and the later owners.
    pub(super) const unsafe fn from_raw(first: usize) -> Self {
        Self { first, nodes: PhantomData }
    }

    /// Puts a node before the others. A child of `fork` that sees it as the first one also sees its link.
    ///
    /// # Safety
    ///
    /// As [`from_raw`](Self::from_raw), for one node whose link may have any value.
    pub(super) unsafe fn push(&mut self, node: usize) {
        // SAFETY: `link` takes the address of a live node, with its provenance exposed: by the caller's contract it is
        // one.
        unsafe { link::<T>(node) }.store(self.first, Ordering::Relaxed);
        fence(Ordering::Release);
        self.first = node;
    }

    /// Returns the address of the first node, which the caller then owns; None if there are none.
    pub(super) fn pop(&mut self) -> Option<usize> {
        let first = self.first;
        if first == 0 {
            return None;
        }
        // SAFETY: `link` takes the address of a live node: those of this chain are.
        self.first = unsafe { link::<T>(first) }.load(Ordering::Relaxed);
        Some(first)
    }

    /// Takes the first nodes in their order, `most` of them or all, and returns how many these are.
    fn split(&mut self, most: usize) -> (Self, usize) {
        let (first, mut next, mut last, mut count) = (self.first, self.first, None, 0);
        while next != 0 && count < most {
            // SAFETY: as in `pop`.
            let link = unsafe { link::<T>(next) };
            next = link.load(Ordering::Relaxed);
            (last, count) = (Some(link), count + 1);
        }
        let Some(last) = last else { return (Self::new(), 0) };
        self.first = next;
        // A release: a child of `fork` that sees the end of the taken nodes does not see them in this chain, where they
        // would hide the others.
        last.store(0, Ordering::Release);
        (Self { first, nodes: PhantomData }, count)
    }
}

/// The link of a node.
///
/// # Safety
///
/// `node` is the address of a node with exposed provenance, which lives for 'a.
unsafe fn link<'a, T>(node: usize) -> &'a AtomicUsize {
    // SAFETY: by the caller's contract a node lives there for 'a. Shared references to its atomic link conflict with no
    // use of its value.
    unsafe { &(*ptr::with_exposed_provenance::<Node<T>>(node)).link }
}

/// Nodes that all CPUs share.
#[derive(Debug)]
pub(super) struct SharedChain<T> {
    chain: SpinLock<Chain<T>>,
    /// How many nodes there are. In a child of `fork` it may be too high until the chain is empty.
    count: AtomicUsize,
}

impl<T> SharedChain<T> {
    pub(super) const fn new() -> Self {
        Self { chain: SpinLock::new(Chain::new()), count: AtomicUsize::new(0) }
    }

    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Adds nodes.
    pub(super) fn give(&self, mut more: Chain<T>) {
        self.chain.with(|chain| {
            while let Some(node) = more.pop() {
                // Before the node: one that is not counted would never be taken.
                self.count.fetch_add(1, Ordering::Relaxed);
                // SAFETY: the node was one of those of `more`, which owned it.
                unsafe { chain.push(node) };
            }
        });
    }

    /// Adds a node.
    ///
    /// # Safety
    ///
    /// As [`Chain::push`].
    pub(super) unsafe fn give_one(&self, node: usize) {
        let mut chain = Chain::new();
        // SAFETY: `push` has the same contract.
        unsafe { chain.push(node) };
        self.give(chain);
    }

    /// Takes up to `most` nodes, last in, first out. No more than were given, so that it ends also where a fault has
    /// linked them in a circle.
    pub(super) fn take(&self, most: usize) -> Chain<T> {
        if self.len() == 0 {
            return Chain::new();
        }
        self.chain.with(|chain| {
            let (taken, count) = chain.split(most.min(self.len()));
            let left = if chain.first == 0 { 0 } else { self.len() - count };
            self.count.store(left, Ordering::Release);
            taken
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_ends() {
        let (mut node, shared) = (Node::new(0u8), SharedChain::<u8>::new());
        let address = ptr::from_mut(&mut node).expose_provenance();
        for _ in 0..2 {
            // SAFETY: the node lives until this test ends. That it is given twice is the fault; nobody uses its value.
            unsafe { shared.give_one(address) };
        }
        let mut taken = shared.take(usize::MAX);
        assert_eq!((taken.pop(), taken.pop(), shared.len()), (Some(address), None, 0));
    }

    /// As in a child that was forked between the two changes of a `give` or a `take`.
    #[test]
    fn a_count_that_is_too_high_lasts_until_all_are_taken() {
        let (mut node, shared) = (Node::new(0u8), SharedChain::<u8>::new());
        let address = ptr::from_mut(&mut node).expose_provenance();
        // SAFETY: the node lives until this test ends, and nothing else uses it.
        unsafe { shared.give_one(address) };
        shared.count.fetch_add(1, Ordering::Relaxed);
        assert_eq!((shared.take(1).pop(), shared.len()), (Some(address), 0));
        shared.count.fetch_add(1, Ordering::Relaxed);
        assert_eq!((shared.take(1).pop(), shared.len()), (None, 0));
    }
}
