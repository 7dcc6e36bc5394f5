//! Reading a ring.

use super::header::{Header, State, UNIT};
use super::ring_slot::Slot;
use super::{ConsumerError, Ring, WORD};
use crate::percpu::Counter;
use crate::{ByCpu, Index, sys};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that the consumer of an overwriting ring copies at a time, if a record is not longer.
const CHUNK: usize = 4096;

/// [`Ring::readers`] while one consumer reads everything.
const ALL: usize = usize::MAX;

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

    /// The record's whole words; up to 7 bytes may follow them.
    pub fn words(&self) -> &'a [usize] {
        // SAFETY: payloads are aligned to 8 bytes and initialised, any bytes are valid words, and the length is rounded
        // down.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.bytes.len() / WORD) }
    }

    /// The CPU, or the concurrency ID, on which it was written or reserved. None if it was written without sections.
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

/// The reader of a [`Ring`], or of one CPU's records in it. Once it is dropped, the ring can have another one.
#[derive(Debug)]
pub struct Consumer<'a, K: Index = ByCpu> {
    ring: &'a Ring<K>,
    /// None if it reads all slots.
    only: Option<&'a Slot>,
    copies: CopyBuffer,
}

impl<'a, K: Index> Consumer<'a, K> {
    pub(super) fn of_all(ring: &'a Ring<K>) -> Result<Self, ConsumerError> {
        let copies = CopyBuffer::new(ring)?;
        let (order, failure) = (Ordering::Acquire, Ordering::Relaxed);
        ring.readers.compare_exchange(0, ALL, order, failure).map_err(|_| ConsumerError::Taken)?;
        Ok(Self { ring, only: None, copies })
    }

    pub(super) fn of_one(ring: &'a Ring<K>, slot: &'a Slot) -> Result<Self, ConsumerError> {
        let copies = CopyBuffer::new(ring)?;
        let (order, failure) = (Ordering::Acquire, Ordering::Relaxed);
        let one_more = |readers| if readers == ALL { None } else { Some(readers + 1) };
        ring.readers.fetch_update(order, failure, one_more).map_err(|_| ConsumerError::Taken)?;
        if slot.consumers.is_read.swap(true, Ordering::Acquire) {
            ring.readers.fetch_sub(1, Ordering::Release);
            return Err(ConsumerError::Taken);
        }
        Ok(Self { ring, only: Some(slot), copies })
    }

    /// Passes the available records to `with`, CPU by CPU and in order for each CPU, and returns how many these were.
    /// It does not wait, not even for a reserved record.
    ///
    /// Records are borrowed from the ring, which has room for new ones once they have been read. From an overwriting
    /// ring, up to 4 KiB at a time are copied, so that records stay whole while `with` uses them; if `with` panics, the
    /// rest of the copy counts as overwritten.
    pub fn read(&mut self, mut with: impl FnMut(Record<'_>)) -> usize {
        match self.only {
            None => self.ring.mapped().map(|slot| self.read_slot(slot, &mut with)).sum(),
            Some(slot) if slot.is_mapped() => self.read_slot(slot, &mut with),
            Some(_) => 0,
        }
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
            // Up to the end of the buffer, an address is a position plus a constant.
            let place = at & mask;
            let (end, distance) = (at.wrapping_add(mask + 1 - place), (buffer + place).wrapping_sub(at));
            let end = if tail.wrapping_sub(at) > mask - place { end } else { tail };
            while at != end {
                let start = distance.wrapping_add(at);
                // SAFETY: a record begins there, in a buffer of the ring.
                let header = Header(unsafe { Slot::word(start, 0, 0) }.load(Ordering::Acquire));
                if header.is(State::Reserved) {
                    return count;
                }
                at = at.wrapping_add(header.size());
                progress.at = at;
                if header.is(State::Committed) {
                    count += 1;
                    progress.count = count;
                    // SAFETY: the record at the head is committed, and its memory is not written before the head
                    // advances.
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
        let copied = self.copies.address();
        let mut total = 0;
        while let Some((len, count)) = self.copy_chunk(slot, buffer, copied, until) {
            let mut chunk = Chunk { ring: self.ring, read: 0, count };
            let mut at = 0;
            while at < len {
                // SAFETY: `at` is within the copy of a chunk, where a record begins.
                let header = Header(unsafe { ptr::with_exposed_provenance::<usize>(copied + at).read() });
                if header.is(State::Committed) {
                    chunk.read += 1;
                    // SAFETY: a whole record of that copy, which only this consumer uses.
                    with(unsafe { record(copied + at, header, index) });
                }
                at += header.size();
            }
            total += chunk.read as usize;
        }
        total
    }

    /// Takes records out of the ring and copies them. Returns the bytes copied, and how many of the records are to be
    /// read. None if there is no record before the position `until`.
    fn copy_chunk(&self, slot: &Slot, buffer: usize, copied: usize, until: usize) -> Option<(usize, u64)> {
        let mask = self.ring.mask;
        // SAFETY: `buffer` is a buffer of the ring, and positions are multiples of a word.
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
                // SAFETY: a chunk is not longer than `copied`, half a ring of memory that only this consumer uses.
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

    /// The length of the whole records from `head` on that fit one chunk, and how many of them are to be read. While
    /// they are being overwritten, the length may be any up to half of the ring.
    fn chunk<'w>(&self, head: usize, tail: usize, word: impl Fn(usize) -> &'w AtomicUsize) -> (usize, u64) {
        let (mut len, mut count) = (0, 0);
        while head.wrapping_add(len) != tail {
            let header = Header(word(head.wrapping_add(len)).load(Ordering::Acquire));
            // One that is being overwritten may read as anything, also as no bytes.
            let longer = len + header.size();
            let most = if len == 0 { self.ring.capacity() / 2 } else { CHUNK.min(self.ring.capacity() / 2) };
            if header.is(State::Reserved) || longer == len || longer > most {
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
        match self.only {
            None => self.ring.readers.store(0, Ordering::Release),
            Some(slot) => {
                slot.consumers.is_read.store(false, Ordering::Release);
                self.ring.readers.fetch_sub(1, Ordering::Release);
            }
        }
    }
}

/// The memory that the consumer of an overwriting ring copies to; none for other rings.
#[derive(Debug)]
struct CopyBuffer {
    memory: Option<NonNull<u8>>,
    len: usize,
}

// SAFETY: only the consumer that owns the memory uses it, in `read`, through `&mut`.
unsafe impl Send for CopyBuffer {}
// SAFETY: as above.
unsafe impl Sync for CopyBuffer {}

impl CopyBuffer {
    fn new<K: Index>(ring: &Ring<K>) -> Result<Self, ConsumerError> {
        let len = ring.capacity() / 2;
        let map = || sys::mappings::map(len).map_err(|_| ConsumerError::NoMemory);
        Ok(Self { memory: ring.overwrites.then(map).transpose()?, len })
    }

    fn address(&self) -> usize {
        self.memory.map_or(0, |memory| memory.as_ptr().expose_provenance())
    }
}

impl Drop for CopyBuffer {
    fn drop(&mut self) {
        if let Some(memory) = self.memory {
            // SAFETY: `new` mapped this many bytes here, for the consumer that is being dropped.
            let _ = unsafe { sys::mappings::unmap(memory, self.len) };
        }
    }
}

/// Advances the head and counts the record, also if the callback panics: it has seen that record.
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

/// Counts the records taken out of an overwriting ring. If the callback panics, the rest is lost.
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
/// A committed record with this header is at `at`, and is not written for 'a.
unsafe fn record<'a>(at: usize, header: Header, index: Option<u32>) -> Record<'a> {
    let payload = ptr::with_exposed_provenance(at + UNIT);
    // SAFETY: the payload begins one unit after the header, has the length that the header gives, and by the caller's
    // contract is not written for 'a.
    Record { bytes: unsafe { core::slice::from_raw_parts(payload, header.len()) }, index }
}
