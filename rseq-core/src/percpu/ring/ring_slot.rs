//! One ring: its positions, and its buffer.

use super::header::{Header, State, UNIT};
use crate::percpu::Counter;
use crate::sys;
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// A word in 8 bytes, on machines with 32-bit words too: sections name fields by their offset.
#[derive(Debug)]
#[repr(C, align(8))]
pub(super) struct Field(AtomicUsize);

impl core::ops::Deref for Field {
    type Target = AtomicUsize;

    fn deref(&self) -> &AtomicUsize {
        &self.0
    }
}

/// A ring. Positions count bytes since it was made, and wrap around at the end of a word; the place of a position in
/// the buffer is its remainder by the capacity.
///
/// `head <= tail <= limit <= head + capacity`, except that the limit may be outdated: it is then below the tail, and
/// useless. Neither a record nor the limit crosses the end of the buffer.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Slot {
    /// Where the next record begins. In an index's slot only sections change it.
    pub(super) tail: Field,
    /// The latest end of the next record.
    pub(super) limit: Field,
    /// The address of the tail's place, less the tail. It changes when the tail returns to the beginning of the buffer:
    /// before the limit, which is then the tail.
    pub(super) place: Field,
    /// The buffer's address; 0 before the first record. It never changes after that.
    pub(super) buffer: Field,
    pub(super) consumers: Consumers,
}

/// The consumer's fields, in a separate cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Consumers {
    /// Where the oldest record begins.
    pub(super) head: AtomicUsize,
    /// One more than the index of the slot; 0 for the fallback.
    pub(super) index: AtomicUsize,
    /// The slot that got its buffer before this one.
    pub(super) next: AtomicPtr<Slot>,
    /// Whether this slot has its own consumer.
    pub(super) is_read: AtomicBool,
}

const _: () = {
    assert!(offset_of!(Slot, tail) == 0 && offset_of!(Slot, limit) == 8 && offset_of!(Slot, place) == 16);
    assert!(offset_of!(Slot, buffer) == 24);
};

/// What has to be done before a record fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing, or the positions have changed in between.
    Retry,
    /// Raise the limit to this position.
    Limit(usize),
    /// Fill the rest of the buffer, this many bytes, with padding.
    Pad(usize),
    /// Free this many bytes, counted from the tail on.
    Free(usize),
}

impl Slot {
    pub(super) const fn new() -> Self {
        const fn zero() -> Field {
            Field(AtomicUsize::new(0))
        }
        let (head, index) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let next = AtomicPtr::new(ptr::null_mut());
        let consumers = Consumers { head, index, next, is_read: AtomicBool::new(false) };
        Self { tail: zero(), limit: zero(), place: zero(), buffer: zero(), consumers }
    }

    /// Where the oldest record begins.
    pub(super) fn head(&self) -> &AtomicUsize {
        &self.consumers.head
    }

    /// What a record of `size` bytes needs when the tail is at `tail`. It is valid as long as the tail stays there.
    pub(super) fn plan(&self, tail: usize, mask: usize, size: usize) -> Plan {
        let capacity = mask + 1;
        let head = self.head().load(Ordering::Acquire);
        let end = (tail | mask).wrapping_add(1);
        let (free, to_end) = (head.wrapping_add(capacity).wrapping_sub(tail), end.wrapping_sub(tail));
        if free > capacity {
            return Plan::Retry; // the tail is older than the head
        }
        let wanted = if size <= to_end { size } else { to_end + size };
        if wanted > free {
            Plan::Free(wanted)
        } else if size > to_end {
            Plan::Pad(to_end)
        } else {
            Plan::Limit(tail.wrapping_add(free.min(to_end)))
        }
    }

    /// The word at `position`.
    ///
    /// # Safety
    ///
    /// `buffer` is a buffer of `mask + 1` bytes that lives for 'a, and `position` is a multiple of a word.
    pub(super) unsafe fn word<'a>(buffer: usize, position: usize, mask: usize) -> &'a AtomicUsize {
        // SAFETY: by the caller's contract it is an aligned word within the buffer, whose address was exposed. While
        // other threads may use a buffer, its words are accessed as atomics and by sections only.
        unsafe { &*ptr::with_exposed_provenance(buffer + (position & mask)) }
    }

    /// The buffer, mapped if there is none; the slot is then in the list. One thread at a time calls it.
    pub(super) fn map(&self, mask: usize, index: u32, list: &AtomicPtr<Self>) -> Option<usize> {
        self.map_after(mask, || self.link(index, list))
    }

    /// The buffer of a slot that is in no list, mapped if there is none. One thread at a time calls it.
    pub(super) fn map_alone(&self, mask: usize) -> Option<usize> {
        self.map_after(mask, || ())
    }

    /// `before` runs before others see the buffer: who sees it also sees what `before` wrote.
    fn map_after(&self, mask: usize, before: impl FnOnce()) -> Option<usize> {
        match self.buffer.load(Ordering::Acquire) {
            0 => {
                let buffer = sys::mappings::map(mask + 1).ok()?.as_ptr().expose_provenance();
                before();
                self.buffer.store(buffer, Ordering::Release);
                Some(buffer)
            }
            buffer => Some(buffer),
        }
    }

    /// Makes it the first of the list. A child of fork may find it there, without a buffer, if its parent was here.
    pub(super) fn link(&self, index: u32, list: &AtomicPtr<Self>) {
        let is_new = self.index().is_none();
        self.consumers.index.store(index as usize + 1, Ordering::Relaxed);
        // SAFETY: the list holds slots of one ring, which live as long as this one.
        if is_new || !unsafe { Self::listed(list) }.any(|slot| ptr::eq(slot, self)) {
            self.consumers.next.store(list.load(Ordering::Relaxed), Ordering::Relaxed);
            list.store(ptr::from_ref(self).cast_mut(), Ordering::Release);
        }
    }

    /// The slots of a list.
    ///
    /// # Safety
    ///
    /// They live for 'a.
    pub(super) unsafe fn listed<'a>(list: &AtomicPtr<Self>) -> impl Iterator<Item = &'a Self> {
        // SAFETY: null, or a slot that by the caller's contract lives for 'a, and was complete when it was stored.
        let slot = |slot: &AtomicPtr<Self>| unsafe { slot.load(Ordering::Acquire).as_ref() };
        core::iter::successors(slot(list), move |last| slot(&last.consumers.next))
    }

    /// Whether there is a buffer: also that the index is set.
    pub(super) fn is_mapped(&self) -> bool {
        self.buffer.load(Ordering::Acquire) != 0
    }

    /// The index that the slot belongs to; None for the fallback.
    pub(super) fn index(&self) -> Option<u32> {
        self.consumers.index.load(Ordering::Relaxed).checked_sub(1).map(|index| index as u32)
    }

    /// Unmaps the buffer.
    pub(super) fn unmap(&self, mask: usize) {
        let buffer = self.buffer.swap(0, Ordering::Relaxed);
        if let Some(buffer) = ptr::NonNull::new(ptr::with_exposed_provenance_mut(buffer)) {
            // SAFETY: `map` mapped this many bytes here, and the ring, with all borrows of the buffer, ends here.
            let _ = unsafe { sys::mappings::unmap(buffer, mask + 1) };
        }
    }

    /// Discards the oldest records until `wanted` bytes from the tail on are free, and somewhat more, so that this is
    /// rare. Adds their number to `overwritten`. Returns false, and changes nothing, if one of them is reserved.
    pub(super) fn discard(&self, wanted: usize, mask: usize, overwritten: &Counter) -> bool {
        let capacity = mask + 1;
        let aim = wanted.max(capacity / 8);
        loop {
            let head = self.head().load(Ordering::Acquire);
            let tail = self.tail.load(Ordering::Acquire);
            let buffer = self.buffer.load(Ordering::Acquire);
            let free = |at: usize| capacity - tail.wrapping_sub(at).min(capacity);
            if free(head) >= wanted {
                return true;
            }
            let (mut at, mut count) = (head, 0);
            // SAFETY: the buffer is mapped, as there are records, and lives as long as the ring.
            let record = |at| Header(unsafe { Self::word(buffer, at, mask) }.load(Ordering::Acquire));
            while at != tail && free(at) < aim {
                let header = record(at);
                // A header that was overwritten in between may read as anything; the exchange below then fails.
                if header.is(State::Reserved) || !(1..=tail.wrapping_sub(at)).contains(&header.size()) {
                    break;
                }
                count += u64::from(header.is(State::Committed));
                at = at.wrapping_add(header.size());
            }
            if free(at) < wanted {
                if self.head().load(Ordering::Acquire) == head {
                    return false;
                }
            } else if self.advance_head(head, at) {
                overwritten.add(count);
                return true;
            }
        }
    }

    /// Takes the records from `head` up to `new` out of the ring, unless another thread has. The thread that does so
    /// has read what was there, because their memory is not written before.
    pub(super) fn advance_head(&self, head: usize, new: usize) -> bool {
        self.head().compare_exchange(head, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// A header that is padding, of `bytes` bytes.
    pub(super) const fn padding(bytes: usize) -> Header {
        Header::new(bytes - UNIT, State::Padding)
    }
}
