//! What free lists and lists are made of.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::sync::atomic::AtomicUsize;

/// A lifetime that the compiler neither shortens nor extends: what keeps nodes for 'a takes only nodes that live for
/// 'a.
pub(super) type Invariant<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

/// A value, and the link by which a [`Pool`](super::Pool), a [`List`](super::List) or a [`SlotPool`](super::SlotPool)
/// keeps it.
#[repr(C)]
#[derive(Debug)]
pub struct Node<T> {
    pub(super) link: AtomicUsize,
    pub(super) value: UnsafeCell<T>,
}

impl<T> Node<T> {
    /// A node that holds `value`.
    pub const fn new(value: T) -> Self {
        Self { link: AtomicUsize::new(0), value: UnsafeCell::new(value) }
    }

    /// The value.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The value, without the node.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

// SAFETY: the link is atomic. Only the node's one owner reaches the value, and passes it between threads like a `&mut
// T`, for which `T: Send` is enough.
unsafe impl<T: Send> Sync for Node<T> {}
