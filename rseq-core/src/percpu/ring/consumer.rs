//! Reading a ring.

use super::header::{Header, State, UNIT};
use super::slot::Slot;
use super::{ConsumerError, Ring, WORD};
use crate::percpu::Counter;
use crate::{ByCpu, Index, sys};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

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
        let mut at = slot.head().load(Ordering::Relaxed);
        let mut progress = Progress { slot, at, count: 0, read: &self.ring.read };
        let (mut published, mut count) = (at, 0);
        while at != tail {
            // Up to the end of the buffer, addresses are positions plus a distance.
            let place = at & mask;
            let (end, distance) = (at.wrapping_add(mask + 1 - place), (buffer + place).wrapping_sub(at));
            let end = if tail.wrapping_sub(at) > mask - place { end } else { tail };
            while at != end {
                let start = distance.wrapping_add(at);
                // SAFETY: the beginning of a record, in a buffer of the ring.
                let header = Header(unsafe { Slot::word(start, 0, 0) }.load(Ordering::Acquire));
                if header.is(State::Reserved) {
                    return count;
                }
                at = at.wrapping_add(header.size());
                progress.at = at;
                if header.is(State::Committed) {
                    count += 1;
                    progress.count = count;
                    // SAFETY: a committed record at the head, which nobody writes before the head is advanced.
                    with(unsafe { record(start, header, index) });
                }
                if at.wrapping_sub(published) > mask / 4 {
                    slot.head().store(at, Ordering::Release);
                    published = at;
                }
            }
        }
        count
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
                if header.is(State::Committed) {
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
            if header.is(State::Reserved) || longer > most {
                break;
            }
            count += u64::from(header.is(State::Committed));
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
    count: usize,
    read: &'a Counter,
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.slot.head().store(self.at, Ordering::Release);
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
