//! Writing a record where its section did not: making room, and the ring of threads without sections.

use super::error::RingError;
use super::header::{Header, State};
use super::ring_slot::{Plan, Slot};
use super::{IndexToken, Ring, reservation, ring_sections};
use crate::ops::this_cpu::Error;
use crate::percpu::memory::STRIDE;
use crate::{Index, OutOfRange, Release};
use core::ptr;
use core::sync::atomic::Ordering;

impl<K: Index> Ring<K> {
    #[cold]
    #[inline(never)]
    pub(super) fn push_slowly(&self, record: &[u8]) -> Result<(), RingError> {
        self.write_slowly(
            record.len(),
            State::Committed,
            |token, base, len| self.push_by_section(record, token, base, len),
            // SAFETY: the room is for the record's header and payload, and nothing else writes there before the commit.
            |at| unsafe { reservation::fill(at, record) },
        )
    }

    #[cold]
    #[inline(never)]
    pub(super) fn reserve_slowly(&self, len: usize) -> Result<usize, RingError> {
        let by_section = |token, base, slots| self.reserve_by_section(len, token, base, slots);
        self.write_slowly(len, State::Reserved, by_section, |at| at)
    }

    /// Writes a record of `len` bytes by `section`. Without sections, it writes the header itself, and `fill` adds the
    /// rest at the header's address.
    pub(super) fn write_slowly<R>(
        &self,
        len: usize,
        state: State,
        section: impl Fn(IndexToken<K>, *mut Slot, usize) -> Result<R, Error>,
        fill: impl FnOnce(usize) -> R,
    ) -> Result<R, RingError> {
        let header = Header::new(len, state);
        let written = loop {
            match self.run(&section) {
                Some(Some(written)) => break Ok(written),
                Some(None) => match self.make_room(header.size()) {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
                None => return self.write_under_lock(header, fill),
            }
        };
        self.count_dropped(written)
    }

    fn count_dropped<R>(&self, written: Result<R, RingError>) -> Result<R, RingError> {
        if written.is_err() {
            self.dropped.inc();
        }
        written
    }

    /// Runs a section. None without sections; Some(None) if a comparison of the section failed.
    fn run<R>(&self, section: impl Fn(IndexToken<K>, *mut Slot, usize) -> Result<R, Error>) -> Option<Option<R>> {
        self.slots.run(move |token, base, len| match section(token, base, len) {
            Ok(done) => Ok(Some(done)),
            Err(Error::CompareFailed) => Ok(None),
            Err(Error::OutOfRange) => Err(OutOfRange),
        })
    }

    /// Takes one step towards room for `size` bytes in the slot of this thread's index.
    fn make_room(&self, size: usize) -> Result<(), RingError> {
        let Some((slot, index)) = self.this_slot() else { return Ok(()) };
        let buffer = match slot.buffer.load(Ordering::Acquire) {
            0 => self.lock.with(|()| slot.map(self.mask, index, &self.list)).ok_or(RingError::NoMemory)?,
            buffer => buffer,
        };
        let tail = slot.tail.load(Ordering::Acquire);
        match slot.plan(tail, self.mask, size) {
            Plan::Retry => {}
            Plan::Limit(limit) => self.set_limit(buffer, tail, limit),
            Plan::Pad(bytes) => self.pad(buffer, tail, bytes),
            Plan::Free(wanted) if self.overwrites && slot.discard(wanted, self.mask, &self.overwritten) => {}
            Plan::Free(_) => return Err(RingError::Full),
        }
        Ok(())
    }

    /// The slot that this thread's sections use at present, and its index.
    pub(super) fn this_slot(&self) -> Option<(&Slot, u32)> {
        self.slots.run(move |token, base, len| match token.slot() {
            // SAFETY: `base` is the first of slots STRIDE bytes apart, one for each index that the kernel assigns. They
            // are zeroes at first, which is a valid slot, and live as long as the ring.
            index if (index as usize) < len => Ok((unsafe { &*base.byte_add(index as usize * STRIDE) }, index)),
            _ => Err(OutOfRange),
        })
    }

    /// Sets the limit of this thread's slot if it has this buffer and this tail: the caller checks again in any case.
    fn set_limit(&self, buffer: usize, tail: usize, limit: usize) {
        let place = buffer.wrapping_sub(tail & !self.mask);
        let _ = self.run(|token, base, len| {
            // SAFETY: `base` is the first of `len` slots STRIDE bytes apart, as `Copies` has them.
            unsafe { ring_sections::set_limit::<STRIDE, _, _>(token, base.cast(), len, buffer, tail, place, limit) }
        });
    }

    /// Fills the rest of the buffer with padding, if this thread's slot has this buffer and this tail.
    fn pad(&self, buffer: usize, tail: usize, bytes: usize) {
        let (header, new) = (Slot::padding(bytes).0, tail.wrapping_add(bytes));
        let _ = self.run(|token, base, len| {
            let to = ptr::with_exposed_provenance_mut(buffer + (tail & self.mask));
            // SAFETY: as above; `to` is the tail's place in the buffer, which has room for a header there.
            unsafe {
                ring_sections::pad::<Release, STRIDE, _, _>(token, base.cast(), len, buffer, tail, to, header, new)
            }
        });
    }

    /// Writes a record in the ring that no section touches.
    pub(super) fn write_under_lock<R>(&self, header: Header, fill: impl FnOnce(usize) -> R) -> Result<R, RingError> {
        self.count_dropped(self.lock.with(|()| self.write_in_fallback(header, fill)))
    }

    /// The same under the lock: one thread at a time calls it.
    fn write_in_fallback<R>(&self, header: Header, fill: impl FnOnce(usize) -> R) -> Result<R, RingError> {
        let slot = &self.fallback;
        let buffer = slot.map_alone(self.mask).ok_or(RingError::NoMemory)?;
        // SAFETY: the buffer has been mapped, and lives as long as the ring; positions are multiples of 8.
        let word = |position| unsafe { Slot::word(buffer, position, self.mask) };
        loop {
            let tail = slot.tail.load(Ordering::Relaxed);
            match slot.plan(tail, self.mask, header.size()) {
                Plan::Limit(_) => {
                    word(tail).store(header.0, Ordering::Relaxed);
                    let written = fill(buffer + (tail & self.mask));
                    slot.tail.store(tail.wrapping_add(header.size()), Ordering::Release);
                    return Ok(written);
                }
                Plan::Pad(bytes) => {
                    word(tail).store(Slot::padding(bytes).0, Ordering::Relaxed);
                    slot.tail.store(tail.wrapping_add(bytes), Ordering::Release);
                }
                Plan::Free(wanted) if self.overwrites && slot.discard(wanted, self.mask, &self.overwritten) => {}
                Plan::Free(_) => return Err(RingError::Full),
                Plan::Retry => {}
            }
        }
    }
}
