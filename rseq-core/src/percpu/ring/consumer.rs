//! Reading a ring.

use super::header::{Header, State, UNIT};
use super::slot::Slot;
use super::{ConsumerError, Ring};
use crate::percpu::Counter;
use crate::{ByCpu, Index, sys};
use core::mem::size_of;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const WORD: usize = size_of::<usize>();

/// Bytes that the consumer of a ring that overwrites copies at a time, if a record is not longer.
const CHUNK: usize = 4096;

/// A record as the consumer gets it: its bytes, aligned to 8.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    bytes: &'a [u8],
    index: Option<u32>,
}

impl<'a> Record<'a> {
    /// The record's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The record's whole words.
    pub fn words(&self) -> &'a [usize] {
        // SAFETY: payloads are aligned to 8 bytes, and any bytes are words.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.bytes.len() / WORD) }
    }

    /// The CPU that it was written, or reserved, on; the concurrency ID, in a ring that goes by it. None if it was written
    /// without sections.
    pub fn index(&self) -> Option<u32> {
        self.index
    }
}

impl core::ops::Deref for Record<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

/// The one reader of a [`Ring`]. Another one can be had when it is dropped.
#[derive(Debug)]
pub struct Consumer<'a, K: Index = ByCpu> {
    ring: &'a Ring<K>,
}

impl<'a, K: Index> Consumer<'a, K> {
    pub(super) fn new(ring: &'a Ring<K>) -> Result<Self, ConsumerError> {
        if ring.is_read.swap(true, Ordering::Acquire) {
            return Err(ConsumerError::Taken);
        }
        let consumer = Self { ring };
        if ring.overwrites && ring.copied.load(Ordering::Relaxed) == 0 {
            let copied = sys::memory::map(ring.capacity() / 2).map_err(|_| ConsumerError::NoMemory)?;
            ring.copied.store(copied.as_ptr().expose_provenance(), Ordering::Relaxed);
        }
        Ok(consumer)
    }

    /// Gives `with` the records that are there, CPU by CPU, each CPU's in their order, and returns how many. It does not
    /// wait: for a record that is reserved neither.
    ///
    /// Records are borrowed from the ring, which has room for new ones once they have been read. A ring that overwrites is
    /// copied from, up to 4 KiB at a time, so that records stay whole while `with` has them; if it panics, the rest of these
    /// counts as overwritten.
    pub fn read(&mut self, mut with: impl FnMut(Record<'_>)) -> usize {
        self.ring.mapped().map(|slot| self.read_slot(slot, &mut with)).sum()
    }

    fn read_slot(&self, slot: &Slot, with: &mut impl FnMut(Record<'_>)) -> usize {
        let (buffer, index) = (slot.buffer.load(Ordering::Acquire), slot.index());
        if self.ring.overwrites {
            self.read_copies(slot, buffer, index, with)
        } else {
            self.read_in_place(slot, buffer, index, with)
        }
    }

    fn read_in_place(
        &self,
        slot: &Slot,
        buffer: usize,
        index: Option<u32>,
        with: &mut impl FnMut(Record<'_>),
    ) -> usize {
        let (mask, tail) = (self.ring.mask, slot.tail.load(Ordering::Acquire));
        let head = slot.head().load(Ordering::Relaxed);
        let mut progress = Progress { slot, at: head, published: head, count: 0, read: &self.ring.read };
        while progress.at != tail {
            let end = (progress.at | mask).wrapping_add(1);
            let end = if tail.wrapping_sub(progress.at) > mask - (progress.at & mask) { end } else { tail };
            // From positions to addresses up to the end of the buffer.
            let base = (buffer + (progress.at & mask)).wrapping_sub(progress.at);
            if !progress.read_until(end, base, mask / 4, index, with) {
                break;
            }
        }
        progress.count
    }

    fn read_copies(&self, slot: &Slot, buffer: usize, index: Option<u32>, with: &mut impl FnMut(Record<'_>)) -> usize {
        let until = slot.tail.load(Ordering::Acquire);
        let copied = self.ring.copied.load(Ordering::Relaxed);
        let mut total = 0;
        while let Some((len, count)) = self.copy_chunk(slot, buffer, copied, until) {
            let mut chunk = Chunk { ring: self.ring, read: 0, count };
            let mut at = 0;
            while at < len {
                // SAFETY: the copy of a chunk, which begins with a record, and ends with one.
                let header = Header(unsafe { ptr::with_exposed_provenance::<usize>(copied + at).read() });
                if header.state() == State::Committed {
                    chunk.read += 1;
                    // SAFETY: a record of that copy, which this consumer alone uses.
                    with(unsafe { record(copied + at, header, index) });
                }
                at += header.size();
            }
            total += chunk.read as usize;
        }
        total
    }

    /// Takes records out of the ring, and copies them: returns their bytes, and how many are to be read. None if there are
    /// none before the position `until`.
    fn copy_chunk(&self, slot: &Slot, buffer: usize, copied: usize, until: usize) -> Option<(usize, u64)> {
        let mask = self.ring.mask;
        // SAFETY: a buffer of the ring, and multiples of a word.
        let word = |at| unsafe { Slot::word(buffer, at, mask) };
        loop {
            let head = slot.head().load(Ordering::Acquire);
            let tail = slot.tail.load(Ordering::Acquire);
            if until.wrapping_sub(head).wrapping_sub(1) > mask {
                return None; // it is at `until`, or has passed it
            }
            let (len, count) = self.chunk(head, tail, word);
            for at in (0..len).step_by(WORD) {
                let to = ptr::with_exposed_provenance_mut::<usize>(copied + at);
                // SAFETY: a chunk is not longer than the memory for it, half of the ring, which nobody else uses.
                unsafe { to.write(word(head.wrapping_add(at)).load(Ordering::Relaxed)) };
            }
            if len == 0 && slot.head().load(Ordering::Acquire) == head {
                return None; // reserved
            }
            if len != 0 && slot.advance_head(head, head.wrapping_add(len)) {
                return Some((len, count));
            }
        }
    }

    /// The bytes of whole records from `head` on that one chunk takes, and how many of them are to be read. If they are
    /// being overwritten, the bytes may be anything up to half of the ring.
    fn chunk<'w>(&self, head: usize, tail: usize, word: impl Fn(usize) -> &'w AtomicUsize) -> (usize, u64) {
        let (mut len, mut count) = (0, 0);
        while head.wrapping_add(len) != tail {
            let header = Header(word(head.wrapping_add(len)).load(Ordering::Acquire));
            let longer = len + header.size();
            let most = if len == 0 { self.ring.capacity() / 2 } else { CHUNK.min(self.ring.capacity() / 2) };
            if header.state() == State::Reserved || longer > most {
                break;
            }
            count += u64::from(header.state() == State::Committed);
            len = longer;
        }
        (len, count)
    }
}

impl<K: Index> Drop for Consumer<'_, K> {
    fn drop(&mut self) {
        self.ring.is_read.store(false, Ordering::Release);
    }
}

/// Advances the head, and counts, also if the callback panics: it has had that record.
struct Progress<'a> {
    slot: &'a Slot,
    at: usize,
    published: usize,
    count: usize,
    read: &'a Counter,
}

impl Progress<'_> {
    /// Reads up to the position `end`; false if a record is reserved.
    #[inline]
    fn read_until(
        &mut self,
        end: usize,
        base: usize,
        quarter: usize,
        index: Option<u32>,
        with: &mut impl FnMut(Record<'_>),
    ) -> bool {
        while self.at != end {
            let at = base.wrapping_add(self.at);
            // SAFETY: the beginning of a record, in a buffer of the ring.
            let header = Header(unsafe { Slot::word(at, 0, 0) }.load(Ordering::Acquire));
            if header.state() == State::Reserved {
                return false;
            }
            self.at = self.at.wrapping_add(header.size());
            if header.state() == State::Committed {
                self.count += 1;
                // SAFETY: a committed record at the head, which nobody writes before the head is advanced.
                with(unsafe { record(at, header, index) });
            }
            if self.at.wrapping_sub(self.published) > quarter {
                self.publish();
            }
        }
        true
    }

    fn publish(&mut self) {
        self.slot.head().store(self.at, Ordering::Release);
        self.published = self.at;
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.at != self.published {
            self.publish();
        }
        if self.count != 0 {
            self.read.add(self.count as u64);
        }
    }
}

/// Counts what was taken out of a ring that overwrites. If the callback panics, the rest is lost.
struct Chunk<'a, K: Index> {
    ring: &'a Ring<K>,
    read: u64,
    count: u64,
}

impl<K: Index> Drop for Chunk<'_, K> {
    fn drop(&mut self) {
        self.ring.read.add(self.read);
        if self.read != self.count {
            self.ring.overwritten.add(self.count - self.read);
        }
    }
}

/// # Safety
///
/// At `at` is a committed record with this header, which nobody writes for 'a.
unsafe fn record<'a>(at: usize, header: Header, index: Option<u32>) -> Record<'a> {
    let payload = ptr::with_exposed_provenance(at + UNIT);
    // SAFETY: the payload begins one unit after the header, and is as long as the header says.
    Record { bytes: unsafe { core::slice::from_raw_parts(payload, header.len()) }, index }
}
