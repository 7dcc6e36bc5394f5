//! A slot seen from outside of its sections: who holds it, and whether it is open.

use crate::percpu::RemoteError;
use crate::percpu::memory::STRIDE;
use crate::sys::{MembarrierError, generation};
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

/// The lowest bit of the process's generation in the word at 24.
const PROCESS: u32 = 17;
const _: () = assert!(STRIDE / 2 < 1 << (PROCESS - 1));

/// Restarts the sections that run on the slot of an index.
pub(super) type MakeFence = fn(u32) -> Result<(), MembarrierError>;

/// A slot: a header and at least as many words as it has capacity. It is closed when its memory is fresh, by an `end`
/// of 0 and a `top` that is no more than `begin`.
///
/// The word at 24 says who may close and open it. Its lowest bit is whether a thread holds the slot; the next 16 are
/// `end` of the open slot, or 0 if nobody has chosen one; the others are the generation of the process whose thread
/// holds the slot. A child of `fork` has no such thread, and takes the slot over.
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

    /// A slot that is half closed is not open.
    pub(super) fn is_open(self) -> bool {
        self.word(END).load(Ordering::Relaxed) != 0 && self.word(BEGIN).load(Ordering::Relaxed) != CLOSED
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
        let end = (hold % (1 << PROCESS)) >> 1;
        if end == 0 { HEADER + WORD * self.capacity } else { end }
    }

    /// Holds the slot, unless a thread of this process does.
    pub(super) fn hold(self) -> Option<Held<'a>> {
        let (hold, process) = (self.word(HOLD), generation() << PROCESS);
        let found = hold.load(Ordering::Relaxed);
        if found & 1 == 1 && found >> PROCESS == process >> PROCESS {
            return None;
        }
        let held = (found % (1 << PROCESS)) | process | 1;
        hold.compare_exchange(found, held, Ordering::Acquire, Ordering::Relaxed).ok()?;
        match self.word(BEGIN).load(Ordering::Relaxed) {
            // In fresh memory. A pop between the first `set_top` and `open` would take the header for an item.
            0 => self.word(BEGIN).store(CLOSED, Ordering::Relaxed),
            // Left half closed by the parent's thread, which took nothing yet, or half opened, which took nothing any
            // more.
            CLOSED if self.word(END).load(Ordering::Relaxed) != 0 => self.word(BEGIN).store(HEADER, Ordering::Relaxed),
            _ => {}
        }
        Some(Held { slot: self, end: self.end_of(found), process })
    }
}

impl Held<'_> {
    /// Whether this thread still holds the slot: in a child that was forked meanwhile, unless another holder was
    /// faster.
    fn goes_on(&mut self) -> bool {
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

    /// Takes the last item of a closed slot, if it has more than `left`, and if this thread still holds it.
    pub(super) fn take(&mut self, left: usize) -> Option<usize> {
        let top = self.top();
        if top <= HEADER + WORD * left || !self.goes_on() {
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
        if self.goes_on() {
            self.slot.word(HOLD).store(self.end << 1, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(miri), not(rseq_stub)))]
mod tests {
    use super::*;
    use crate::ByCpu;
    use crate::percpu::fence::fence_index;
    use crate::percpu::stack::arrays::Arrays;
    use crate::percpu::stack::class::Class;
    use crate::percpu::stack::stress::{allowed, can_drain, pin};
    use crate::sys::{self, in_child};

    const CLASS: Class = Class::new(0, 0, 4);

    type TestArrays = Arrays<usize, 1, 4, ByCpu>;

    /// Two items in the array of the CPU that this thread is pinned to; None where that cannot be.
    fn two_items() -> Option<(TestArrays, u32)> {
        let cpu = allowed()[0];
        pin(cpu);
        let arrays = TestArrays::new();
        can_drain().then(|| {
            assert_eq!((arrays.push(CLASS, 1), arrays.push(CLASS, 2)), (Ok(()), Ok(())));
            assert_eq!(arrays.len_of(CLASS, cpu), 2);
            (arrays, cpu)
        })
    }

    /// Ends a child that hangs.
    fn limit() -> bool {
        const SIGALRM: u32 = 14;
        sys::unblock_only(SIGALRM) && sys::alarm_after(500_000).is_ok()
    }

    /// Whether the array takes two items more, and gives back all in order.
    fn works(arrays: &TestArrays, slot: Slot<'_>) -> bool {
        let is_pushed = arrays.push(CLASS, 3).is_ok() && arrays.push(CLASS, 4).is_ok() && slot.len() == 4;
        is_pushed && [(); 5].map(|()| arrays.pop(CLASS)) == [Some(4), Some(3), Some(2), Some(1), None] && slot.is_open()
    }

    #[test]
    fn a_child_takes_over_what_a_thread_of_its_parent_held() {
        // What that thread has stored of a `close`, and of an `open`.
        let stores: &[&[(usize, usize)]] =
            &[&[], &[(BEGIN, CLOSED)], &[(BEGIN, CLOSED), (END, 0)], &[(BEGIN, CLOSED), (END, 0), (BEGIN, HEADER)]];
        for stored in stores {
            let Some((arrays, cpu)) = two_items() else { return };
            let slot = arrays.slot(CLASS, cpu).unwrap();
            let mut held = slot.hold().unwrap();
            stored.iter().for_each(|&(at, value)| slot.word(at).store(value, Ordering::Relaxed));
            let child = in_child(|| u8::from(limit() && works(&arrays, slot)));
            let popping = in_child(|| u8::from(limit() && arrays.pop(CLASS) == Some(2) && works_after_pop(&arrays)));
            let is_open = in_child(|| u8::from(slot.hold().is_some_and(|held| held.is_open())));
            assert_eq!(is_open, Ok(Some(u8::from(stored.len() < 2))), "after {stored:?}");
            assert!(slot.hold().is_none(), "the parent's thread holds it");
            held.open();
            drop(held);
            assert_eq!((child, popping), (Ok(Some(1)), Ok(Some(1))), "after {stored:?}");
            assert!(works(&arrays, slot));
        }
    }

    fn works_after_pop(arrays: &TestArrays) -> bool {
        [(); 2].map(|()| arrays.pop(CLASS)) == [Some(1), None]
    }

    #[test]
    fn a_holder_goes_on_in_a_child_unless_the_array_was_used_there() {
        let Some((arrays, cpu)) = two_items() else { return };
        let slot = arrays.slot(CLASS, cpu).unwrap();
        let mut held = slot.hold().unwrap();
        held.close(cpu, fence_index::<ByCpu>).unwrap();
        let goes_on = in_child(|| {
            let is_alone = held.take(0) == Some(2) && slot.hold().is_none() && held.take(0) == Some(1);
            u8::from(is_alone)
        });
        let arrays = &arrays;
        let is_passed = in_child(move || {
            let is_used = arrays.pop(CLASS) == Some(2) && held.take(0).is_none() && slot.len() == 1;
            let other = slot.hold();
            drop(held);
            u8::from(is_used && other.is_some() && slot.hold().is_none())
        });
        assert_eq!((goes_on, is_passed), (Ok(Some(1)), Ok(Some(1))));
    }
}
