//! Lists of nodes that the program owns, one for each CPU.

#[cfg(all(test, not(miri), not(rseq_stub)))]
mod forks;
mod list_sections;
mod list_slot;
mod nodes;

use super::chain::{Chain, SharedChain};
use super::closing::Closing;
use super::copies::Copies;
use super::fence::fence_index;
use super::memory::STRIDE;
use super::node::Invariant;
use super::{Node, RemoteError};
use crate::ops::this_cpu::Error;
use crate::sys::MembarrierError;
use crate::{ByCpu, Committed, Index, OutOfRange};
use core::marker::PhantomData;
use core::ptr;
use list_slot::Slot;

pub use nodes::Nodes;

/// An intrusive list for each CPU: nodes are linked in place, and the list owns them while they are on it.
///
/// [`push`](Self::push) and [`pop`](Self::pop) are a few plain instructions, on the list of the CPU that the thread
/// runs on. Lists have no bound. Another CPU's nodes are taken all at once, by [`drain_cpu`](Self::drain_cpu).
///
/// Threads that cannot use sections ([`status`](crate::status) has the cause) push to a shared list, under a lock. So
/// does a thread while its CPU's list is being drained.
///
/// A child of `fork` has the nodes that were on lists. Those that other threads were pushing, or had taken, are lost to
/// it.
///
/// `K` is the index of the lists: [`ByCpu`] or [`ByMmCid`](crate::ByMmCid).
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::{List, Node};
///
/// static FREED: List<String> = List::new();
///
/// let node = Box::leak(Box::new(Node::new(String::from("kept"))));
/// FREED.push(node);
/// for nodes in FREED.drain() {
///     for node in nodes? {
///         assert_eq!(node.get_mut(), "kept");
///     }
/// }
/// # Ok::<(), rseq_core::sys::MembarrierError>(())
/// ```
#[derive(Debug)]
pub struct List<'a, T, K: Index = ByCpu> {
    copies: Copies<Slot, K>,
    fallback: SharedChain<T>,
    closing: Closing,
    /// Keeps the lifetime exactly that of the nodes that were pushed.
    nodes: Invariant<'a>,
}

impl<'a, T: 'a, K: Index> List<'a, T, K> {
    /// Empty lists.
    pub const fn new() -> Self {
        Self { copies: Copies::new(), fallback: SharedChain::new(), closing: Closing::new(), nodes: PhantomData }
    }

    /// Pushes a node on the list of this CPU.
    #[inline]
    pub fn push(&self, node: &'a mut Node<T>) {
        let node = ptr::from_mut(node).expose_provenance();
        let link = ptr::with_exposed_provenance_mut(node);
        let pushed = self.copies.run(move |token, base, len| {
            // SAFETY: `base` is the first of `len` slots that lie STRIDE bytes apart, as `Copies` has them. Each is a
            // word: 0, 1, or the address of a node that was pushed. `link` is a word of the node, which is on no list
            // because it was borrowed exclusively.
            committed(unsafe { list_sections::push::<STRIDE, _, _>(token, base.cast(), len, link) })
        });
        if !matches!(pushed, Some(Some(Committed))) {
            // SAFETY: the node was borrowed exclusively for 'a, and is on no list.
            unsafe { self.push_elsewhere(node) };
        }
    }

    /// Continues after a section that did not push.
    ///
    /// # Safety
    ///
    /// `node` is the address of a node that was borrowed exclusively for 'a, and is on no list.
    #[cold]
    #[inline(never)]
    unsafe fn push_elsewhere(&self, node: usize) {
        self.closing.reopen_after_fork(&self.copies);
        // SAFETY: the caller's contract.
        unsafe { self.fallback.give_one(node) };
    }

    /// Pops the node that was last pushed on this CPU; if there is none, one of threads without sections.
    #[inline]
    pub fn pop(&self) -> Option<&'a mut Node<T>> {
        let node = match self.pop_own() {
            Some(Some(node)) => node,
            _ => self.pop_elsewhere()?,
        };
        // SAFETY: lists hold nodes that were borrowed exclusively for 'a, and this one is no longer on a list.
        Some(unsafe { &mut *ptr::with_exposed_provenance_mut(node) })
    }

    /// Runs the section. Some(None) is a list that is closed, or that has no node.
    #[inline]
    fn pop_own(&self) -> Option<Option<usize>> {
        self.copies.run(|token, base, len| {
            // SAFETY: as in `push`; nodes live for 'a and begin with their links.
            committed(unsafe { list_sections::pop::<STRIDE, _, _>(token, base.cast(), len) })
        })
    }

    /// Continues after a section that did not pop.
    #[cold]
    #[inline(never)]
    fn pop_elsewhere(&self) -> Option<usize> {
        let is_open_now = self.closing.reopen_after_fork(&self.copies);
        match is_open_now.then(|| self.pop_own()) {
            Some(Some(Some(node))) => Some(node),
            _ => self.fallback.take(1).pop(),
        }
    }

    /// Takes all nodes of this CPU's list, last in, first out. A thread without sections takes those of the list that
    /// such threads share.
    pub fn pop_all(&self) -> Nodes<'a, T> {
        let take = || {
            self.copies.run(|token, base, len| {
                // SAFETY: as in `push`.
                committed(unsafe { list_sections::pop_all::<STRIDE, _, _>(token, base.cast(), len) })
            })
        };
        let taken = match take() {
            Some(None) if self.closing.reopen_after_fork(&self.copies) => take(),
            taken => taken,
        };
        match taken {
            // SAFETY: the section has taken the list, whose nodes were borrowed for 'a.
            Some(Some(first)) => Nodes::new(unsafe { Chain::from_raw(first) }),
            Some(None) => Nodes::new(Chain::new()),
            None => Nodes::new(self.fallback.take(usize::MAX)),
        }
    }

    /// Takes the nodes of every list, one list after another, the list of threads without sections last.
    ///
    /// # Errors
    ///
    /// For each list that has nodes: [`MembarrierError`] if the kernel refuses the fence; the list is unchanged.
    pub fn drain(&self) -> impl Iterator<Item = Result<Nodes<'a, T>, MembarrierError>> {
        let own = (0..).zip(self.copies.iter()).map(|(index, slot)| self.drain_index(index, slot));
        own.chain(core::iter::once_with(|| Ok(Nodes::new(self.fallback.take(usize::MAX)))))
    }

    fn drain_index(&self, index: u32, slot: &Slot) -> Result<Nodes<'a, T>, MembarrierError> {
        let first = self.closing.with(&self.copies, || slot.drain(|| fence_index::<K>(index)))?;
        // SAFETY: the list was closed and emptied, so nothing else owns its nodes, which were borrowed for 'a.
        Ok(Nodes::new(unsafe { Chain::from_raw(first) }))
    }
}

impl<'a, T> List<'a, T> {
    /// Takes all nodes of any CPU's list. It costs a system call for a fence, which interrupts the CPU if this process
    /// runs there (Linux 5.10).
    ///
    /// # Errors
    ///
    /// [`RemoteError`]; the list is as it was.
    pub fn drain_cpu(&self, cpu: u32) -> Result<Nodes<'a, T>, RemoteError> {
        let slot = self.copies.get(cpu).ok_or(RemoteError::NoSlot(cpu))?;
        Ok(self.drain_index(cpu, slot)?)
    }
}

impl<'a, T: 'a, K: Index> Default for List<'a, T, K> {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a section; Some(None) is a list that is closed, or that has no node.
#[inline]
fn committed<R>(done: Result<R, Error>) -> Result<Option<R>, OutOfRange> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(Error::CompareFailed) => Ok(None),
        Err(Error::OutOfRange) => Err(OutOfRange),
    }
}
