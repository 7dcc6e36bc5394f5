//! A slot as seen from outside its sections: which thread holds it, and whether it is open.

#[cfg(all(test, not(miri), not(rseq_stub)))]
mod tests;

use crate::percpu::RemoteError;
use crate::percpu::memory::STRIDE;
use crate::sys::{MembarrierError, generation};
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

pub(super) const WORD: usize = size_of::<usize>();

/// The size of a header in bytes. `stack_sections.rs` describes its words.
pub(super) const HEADER: usize = 32;

const TOP: usize = 0;
const END: usize = 8;
const BEGIN: usize = 16;
const HOLD: usize = 24;

/// The value of `begin` in a closed slot, so that sections find no item. `end` is 0 then, so that they find no room.
const CLOSED: usize = usize::MAX;

/// The position of the process's generation in the word at 24.
const PROCESS: u32 = 17;
const _: () = assert!(STRIDE / 2 < 1 << (PROCESS - 1));

/// A function that restarts the sections running on the slot of an index.
pub(super) type MakeFence = fn(u32) -> Result<(), MembarrierError>;

/// A slot: a header and `capacity` words. Zeroed memory is a closed slot: `end` is 0, and `top` is not above `begin`.
///
/// A thread holds the slot to close and open it. The word at 24 is the state of this lock. Its lowest bit is whether a
/// thread holds the slot. The next 16 bits are the value of `end` when the slot is open, or 0 for the default. The
/// others are the generation of the holder's process. A child of `fork` does not have that thread, and can take the
/// slot over.
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
    /// The bits of the word at 24 that name this process.
    process: usize,
}

impl<'a> Slot<'a> {
    /// # Safety
    ///
    /// `base` points to a header and `capacity` words, which are initially zero, are valid for `'a`, and are accessed
    /// only by this type and by the sections of stacks.
    pub(super) unsafe fn new(base: NonNull<u8>, capacity: usize) -> Self {
        Self { base, capacity, lifetime: PhantomData }
    }

    /// The word at an offset in bytes, in the header or among the items.
    fn word(self, at: usize) -> &'a AtomicUsize {
        debug_assert!(at < HEADER + WORD * self.capacity);
        // SAFETY: the caller of `new` guarantees that the header and `capacity` words are initialised and valid for
        // `'a`. `at` is the offset of one of them: it is a constant in the header, or below a top, and tops are at most
        // the end of the capacity. All accesses are atomic, or single instructions of sections that access a whole
        // word.
        unsafe { self.base.byte_add(at).cast().as_ref() }
    }

    /// Whether the slot is open. It is not if only one of `begin` and `end` is that of a closed slot, which lasts in a
    /// child of `fork` until a thread holds the slot.
    pub(super) fn is_open(self) -> bool {
        self.word(END).load(Ordering::Relaxed) != 0 && self.word(BEGIN).load(Ordering::Relaxed) != CLOSED
    }

    /// The number of items in the slot.
    pub(super) fn len(self) -> usize {
        (self.word(TOP).load(Ordering::Relaxed).max(HEADER) - HEADER) / WORD
    }

    /// The capacity of the slot when it is open, in items.
    pub(super) fn capacity(self) -> usize {
        (self.end_of(self.word(HOLD).load(Ordering::Relaxed)) - HEADER) / WORD
    }

    /// The value of `end` when the slot is open, from the word at 24.
    fn end_of(self, hold: usize) -> usize {
        let end = (hold % (1 << PROCESS)) >> 1;
        if end == 0 { HEADER + WORD * self.capacity } else { end }
    }

    /// Holds the slot, unless a thread of this process holds it already.
    pub(super) fn hold(self) -> Option<Held<'a>> {
        let (hold, process) = (self.word(HOLD), generation() << PROCESS);
        let found = hold.load(Ordering::Relaxed);
        if found & 1 == 1 && found >> PROCESS == process >> PROCESS {
            return None;
        }
        let held = (found % (1 << PROCESS)) | process | 1;
        hold.compare_exchange(found, held, Ordering::Acquire, Ordering::Relaxed).ok()?;
        let mut held = Held { slot: self, end: self.end_of(found), process };
        match (self.word(BEGIN).load(Ordering::Relaxed), self.word(END).load(Ordering::Relaxed)) {
            // The memory is zeroed. A pop between the first `set_top` and `open` would take the header for an item.
            (0, _) => self.word(BEGIN).store(CLOSED, Ordering::Relaxed),
            (CLOSED, 0) => {}
            // A thread of the parent was closing or opening the slot, and this process has one of its two stores. It
            // may have either one: the compiler and weakly ordered machines may make the second visible first. Sections
            // push to this slot, or pop from it, so it must not be taken for a closed one. It can be opened, because
            // the thread takes items only after both stores of `close`, and before those of `open`.
            (CLOSED, _) | (_, 0) => held.open(),
            _ => {}
        }
        Some(held)
    }
}

impl Held<'_> {
    /// Whether this thread still holds the slot. After a fork, this thread in the child takes the slot over from the
    /// parent, unless another thread already has.
    fn still_holds(&mut self) -> bool {
        let process = generation() << PROCESS;
        if process == self.process {
            return true;
        }
        let hold = self.slot.word(HOLD);
        let parents = hold.load(Ordering::Relaxed);
        let is_held = parents & 1 == 1 && parents >> PROCESS == self.process >> PROCESS;
        let ours = (parents % (1 << PROCESS)) | process;
        if is_held && hold.compare_exchange(parents, ours, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            self.process = process;
        }
        process == self.process
    }

    pub(super) fn is_open(&self) -> bool {
        self.slot.is_open()
    }

    pub(super) fn capacity(&self) -> usize {
        (self.end - HEADER) / WORD
    }

    /// Raises the capacity to `capacity` items, or leaves it equal. This takes effect at once if the slot is open.
    pub(super) fn grow(&mut self, capacity: usize) {
        self.end = HEADER + WORD * capacity;
        if self.is_open() {
            self.slot.word(END).store(self.end, Ordering::Relaxed);
        }
    }

    /// Sets the capacity of the closed slot, which takes effect when it is opened.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.end = HEADER + WORD * capacity;
    }

    /// Closes the slot, which is that of `index`. Afterwards no section changes it, and this thread sees all their
    /// stores.
    ///
    /// # Errors
    ///
    /// [`RemoteError::NoFence`]; the slot is open.
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

    /// Takes the last item of a closed slot, if it has more than `left` items and this thread still holds it.
    pub(super) fn take(&mut self, left: usize) -> Option<usize> {
        let top = self.top();
        if top <= HEADER + WORD * left || !self.still_holds() {
            return None;
        }
        let item = self.slot.word(top - WORD).load(Ordering::Relaxed);
        self.slot.word(TOP).store(top - WORD, Ordering::Relaxed);
        Some(item)
    }

    /// Opens a closed slot. Sections of its index must see its top: the last store to it was by a section, or a section
    /// has run since.
    pub(super) fn open(&mut self) {
        self.slot.word(BEGIN).store(HEADER, Ordering::Relaxed);
        self.slot.word(END).store(self.end, Ordering::Relaxed);
    }
}

impl Drop for Held<'_> {
    /// Releases the slot. The next holder sees all stores to it.
    fn drop(&mut self) {
        if self.still_holds() {
            self.slot.word(HOLD).store(self.end << 1, Ordering::Release);
        }
    }
}
