//! A slot seen from outside of its sections: who holds it, and whether it is open.

use crate::percpu::RemoteError;
use crate::sys::MembarrierError;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a word.
pub(super) const WORD: usize = size_of::<usize>();

/// Bytes of a header: `sections.rs` has its words.
pub(super) const HEADER: usize = 32;

const TOP: usize = 0;
const END: usize = 8;
const BEGIN: usize = 16;
const HOLD: usize = 24;

/// What `begin` is in a closed slot, so that there is no item in it; `end` is 0, so that there is no room.
const CLOSED: usize = usize::MAX;

/// Restarts the sections that run on the slot of an index.
pub(super) type MakeFence = fn(u32) -> Result<(), MembarrierError>;

/// A slot: a header and at least as many words as it has capacity. It is closed when its memory is fresh, by an `end`
/// of 0 and a `top` that is no more than `begin`.
///
/// The word at 24 says who may close and open it. Its lowest bit is whether a thread holds the slot; the others are
/// `end` of the open slot, or 0 if nobody has chosen one.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    base: NonNull<u8>,
    capacity: usize,
    lifetime: PhantomData<&'a AtomicUsize>,
}

/// A slot that this thread holds.
pub(super) struct Held<'a> {
    slot: Slot<'a>,
    end: usize,
}

impl<'a> Slot<'a> {
    /// # Safety
    ///
    /// `base` is a header and `capacity` words, zeroes at first, which live for `'a` and which this type and the
    /// sections of stacks alone use.
    pub(super) unsafe fn new(base: NonNull<u8>, capacity: usize) -> Self {
        Self { base, capacity, lifetime: PhantomData }
    }

    /// A word of the header, or of the items by their place in bytes.
    fn word(self, at: usize) -> &'a AtomicUsize {
        debug_assert!(at < HEADER + WORD * self.capacity);
        // SAFETY: the header and the items are words that live for 'a, and `at` is a place of one: those of the header
        // are constants, and tops are below the end of the capacity. Sections access words whole, as atomics do.
        unsafe { self.base.byte_add(at).cast().as_ref() }
    }

    pub(super) fn is_open(self) -> bool {
        self.word(END).load(Ordering::Relaxed) != 0
    }

    /// Items in the slot at some moment.
    pub(super) fn len(self) -> usize {
        (self.word(TOP).load(Ordering::Relaxed).max(HEADER) - HEADER) / WORD
    }

    /// Items that the slot takes when it is open.
    pub(super) fn capacity(self) -> usize {
        (self.end_of(self.word(HOLD).load(Ordering::Relaxed)) - HEADER) / WORD
    }

    /// `end` of the open slot, by the word at 24.
    fn end_of(self, hold: usize) -> usize {
        if hold >> 1 == 0 { HEADER + WORD * self.capacity } else { hold >> 1 }
    }

    /// Holds the slot, unless somebody does.
    pub(super) fn hold(self) -> Option<Held<'a>> {
        let hold = self.word(HOLD);
        let free = hold.load(Ordering::Relaxed) & !1;
        hold.compare_exchange(free, free | 1, Ordering::Acquire, Ordering::Relaxed).ok()?;
        // Zero in fresh memory. A pop between the first `set_top` and `open` would take the header for an item.
        if self.word(BEGIN).load(Ordering::Relaxed) == 0 {
            self.word(BEGIN).store(CLOSED, Ordering::Relaxed);
        }
        Some(Held { slot: self, end: self.end_of(free) })
    }
}

impl Held<'_> {
    pub(super) fn is_open(&self) -> bool {
        self.slot.is_open()
    }

    pub(super) fn capacity(&self) -> usize {
        (self.end - HEADER) / WORD
    }

    /// Makes `capacity` that of the slot, at once where it is open: it is as large as it was, or larger.
    pub(super) fn grow(&mut self, capacity: usize) {
        self.end = HEADER + WORD * capacity;
        if self.is_open() {
            self.slot.word(END).store(self.end, Ordering::Relaxed);
        }
    }

    /// Makes `capacity` that of the closed slot.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.end = HEADER + WORD * capacity;
    }

    /// Closes the slot, which is that of `index`: no section changes it afterwards, and this thread sees all that they
    /// did.
    ///
    /// # Errors
    ///
    /// [`RemoteError::NoFence`]: the slot is as it was.
    pub(super) fn close(&mut self, index: u32, fence: MakeFence) -> Result<(), RemoteError> {
        if !self.is_open() {
            return Ok(());
        }
        self.slot.word(BEGIN).store(CLOSED, Ordering::Relaxed);
        self.slot.word(END).store(0, Ordering::Relaxed);
        fence(index).map_err(|error| {
            self.open();
            RemoteError::NoFence(error)
        })
    }

    /// The top of a closed slot.
    pub(super) fn top(&self) -> usize {
        self.slot.word(TOP).load(Ordering::Relaxed).max(HEADER)
    }

    /// Takes the last item of a closed slot, if it has more than `left`.
    pub(super) fn take(&mut self, left: usize) -> Option<usize> {
        let top = self.top();
        if top <= HEADER + WORD * left {
            return None;
        }
        let item = self.slot.word(top - WORD).load(Ordering::Relaxed);
        self.slot.word(TOP).store(top - WORD, Ordering::Relaxed);
        Some(item)
    }

    /// Opens a closed slot, whose top the sections of its index have to see: a section has set it, or nobody has since
    /// they did.
    pub(super) fn open(&mut self) {
        self.slot.word(BEGIN).store(HEADER, Ordering::Relaxed);
        self.slot.word(END).store(self.end, Ordering::Relaxed);
    }
}

impl Drop for Held<'_> {
    /// Lets go of the slot, which whoever holds it next sees as it is now.
    fn drop(&mut self) {
        self.slot.word(HOLD).store(self.end << 1, Ordering::Release);
    }
}
