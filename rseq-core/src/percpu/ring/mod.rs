//! Rings of records: each CPU writes into a ring of its own, and one consumer reads them all, or one for each CPU.

mod consumer;
mod error;
mod header;
mod reservation;
mod sections;
mod slot;
#[cfg(all(test, not(miri), not(rseq_stub)))]
mod tests;

use super::Counter;
use super::copies::Copies;
use super::lock::SpinLock;
use super::memory::STRIDE;
use crate::ops::this_cpu::Error;
use crate::{Ambient, ByCpu, Index, OutOfRange, Release, Token};
pub use consumer::{Consumer, Record};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
pub use error::{ConsumerError, RingError};
use header::{Header, State, size};
pub use reservation::Reservation;
use slot::{Plan, Slot};

const WORD: usize = size_of::<usize>();

type IndexToken<K> = Token<'static, Ambient, K>;

/// The smallest capacity in bytes, so that eight words are never too long.
const SMALLEST: usize = 256;

/// More than any capacity, and far from all words.
const MOST: usize = 1 << (usize::BITS - 2);

/// The largest one.
const LARGEST: usize = 1 << (if usize::BITS == 64 { 40 } else { 28 });

/// Records of any length, such as a tracer writes: any thread writes them, at the cost of a copy, and one [`Consumer`]
/// reads them, or one of [each CPU's](Self::consumer_of).
///
/// Each CPU has a ring of its own, in memory that is mapped when the CPU writes its first record. A record that
/// [`push`](Self::push) writes is there as a whole or not at all, also where a signal handler comes between and pushes
/// too. [`reserve`](Self::reserve) makes room for a record that is filled in place and committed later, by whatever CPU
/// the thread is on then.
///
/// The records of one thread that are in the ring of one CPU are read in the order in which they were written. Between
/// CPUs there is no order: that is for a time stamp in the record to say.
///
/// When a CPU's ring is full, new records are dropped ([`new`](Self::new)), or the oldest ones are overwritten
/// ([`overwriting`](Self::overwriting)). Both are counted: see [`RingTotals`].
///
/// Where rseq is not to be had, and in a thread past its end, one more ring takes the record, under a lock:
/// [`status`](crate::status) tells which it is.
///
/// `K` is the index that the rings go by: [`ByCpu`], or [`ByMmCid`](crate::ByMmCid), by which a process with few
/// threads has few rings.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::Ring;
///
/// static TRACE: Ring = Ring::new(64 * 1024);
///
/// std::thread::scope(|scope| {
///     for thread in 0..4u8 {
///         scope.spawn(move || TRACE.push(&[thread; 12]));
///     }
/// });
/// let mut consumer = TRACE.consumer()?;
/// let mut lengths = Vec::new();
/// consumer.read(|record| lengths.push(record.len()));
/// assert_eq!(lengths, [12; 4]);
/// # Ok::<(), rseq_core::percpu::ConsumerError>(())
/// ```
#[derive(Debug)]
pub struct Ring<K: Index = ByCpu> {
    slots: Copies<Slot, K>,
    /// Bytes of each buffer, less one.
    mask: usize,
    overwrites: bool,
    /// How many consumers there are, each of one slot; the most there can be if there is one of all.
    readers: AtomicUsize,
    read: Counter,
    dropped: Counter,
    overwritten: Counter,
    abandoned: Counter,
    /// Held by whoever writes in `fallback`, or maps a buffer.
    lock: SpinLock<()>,
    fallback: Slot,
    /// The slots that have a buffer.
    list: AtomicPtr<Slot>,
}

/// What has become of a ring's records so far. Once everything is read that was written, the four together are the
/// records that [`push`](Ring::push) and [`reserve`](Ring::reserve) were called with, but for those that were
/// [`TooLong`](RingError::TooLong). They wrap around at 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingTotals {
    /// Records that the consumer got.
    pub read: u64,
    /// Records that were not written, for want of room or memory.
    pub dropped: u64,
    /// Records that were written, and overwritten before they were read.
    pub overwritten: u64,
    /// Reservations that were dropped without a commit.
    pub abandoned: u64,
}

impl<K: Index> Ring<K> {
    /// A ring of `capacity` bytes for each CPU, which drops new records while it is full.
    ///
    /// The capacity is rounded up to a power of two, at least 256, and at most 2^40, or 2^28 where a word has 32 bits.
    /// A record takes its length, rounded up to a multiple of 8, and 8 bytes.
    pub const fn new(capacity: usize) -> Self {
        Self::with(capacity, false)
    }

    /// The same, but that the oldest records are overwritten while it is full: an eighth of the ring at a time.
    pub const fn overwriting(capacity: usize) -> Self {
        Self::with(capacity, true)
    }

    const fn with(capacity: usize, overwrites: bool) -> Self {
        let capacity = match capacity {
            0..SMALLEST => SMALLEST,
            SMALLEST..LARGEST => capacity.next_power_of_two(),
            _ => LARGEST,
        };
        Self {
            slots: Copies::new(),
            mask: capacity - 1,
            overwrites,
            readers: AtomicUsize::new(0),
            read: Counter::new(),
            dropped: Counter::new(),
            overwritten: Counter::new(),
            abandoned: Counter::new(),
            lock: SpinLock::new(()),
            fallback: Slot::new(),
            list: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Bytes that each CPU's ring has.
    pub const fn capacity(&self) -> usize {
        self.mask + 1
    }

    /// Bytes of the longest record: half of the ring, less 8.
    pub const fn longest(&self) -> usize {
        self.capacity() / 2 - header::UNIT
    }

    /// Writes a record. It is published as a whole, and the memory it has been copied from is free again.
    ///
    /// # Errors
    ///
    /// [`RingError`]: it was not written.
    #[inline]
    pub fn push(&self, record: &[u8]) -> Result<(), RingError> {
        if record.len() > self.longest() {
            return Err(RingError::TooLong);
        }
        let pushed = self.slots.run_if_made(|token, base, len| self.push_by_section(record, token, base, len));
        pushed.map_or_else(|| self.push_slowly(record), Ok)
    }

    /// Writes a record of words, up to eight of them without a loop.
    ///
    /// # Errors
    ///
    /// [`RingError`]: it was not written.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::percpu::Ring;
    ///
    /// static TRACE: Ring = Ring::new(4096);
    ///
    /// TRACE.push_words(&[1, 2, 3, 4])?;
    /// TRACE.consumer()?.read(|record| assert_eq!(record.words(), [1, 2, 3, 4]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn push_words<const N: usize>(&self, record: &[usize; N]) -> Result<(), RingError> {
        let push = match N {
            1 => sections::push_1::<Release, STRIDE, _, _>,
            2 => sections::push_2::<Release, STRIDE, _, _>,
            3 => sections::push_3::<Release, STRIDE, _, _>,
            4 => sections::push_4::<Release, STRIDE, _, _>,
            5 => sections::push_5::<Release, STRIDE, _, _>,
            6 => sections::push_6::<Release, STRIDE, _, _>,
            7 => sections::push_7::<Release, STRIDE, _, _>,
            8 => sections::push_8::<Release, STRIDE, _, _>,
            _ => return self.push(bytes_of(record)),
        };
        let header = const { Header::new(N * WORD, State::Committed).0 };
        // SAFETY: `base` is the first of `len` slots STRIDE bytes apart, as `Copies` says; capacities are below `MOST`.
        // The section for so many words gets so many, and the header of a record of them.
        let pushed = self
            .slots
            .run_if_made(|token, base, len| unsafe { push(token, base.cast(), len, MOST, header, record.as_ptr()) });
        pushed.map_or_else(|| self.push_slowly(bytes_of(record)), |_| Ok(()))
    }

    /// Makes room for a record of `len` bytes, to be filled and committed. The consumer gets no later record of this
    /// CPU before that; it never waits for it.
    ///
    /// # Errors
    ///
    /// [`RingError`]: there is no such room.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::sync::atomic::Ordering::Relaxed;
    /// use rseq_core::percpu::Ring;
    ///
    /// static TRACE: Ring = Ring::new(4096);
    ///
    /// let mut record = TRACE.reserve(20)?;
    /// record.words()[0].store(7, Relaxed); // a plain store
    /// record.write(8, b"request done");
    /// record.commit();
    ///
    /// TRACE.consumer()?.read(|record| assert_eq!(&record[8..], b"request done"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn reserve(&self, len: usize) -> Result<Reservation<'_>, RingError> {
        if len > self.longest() {
            return Err(RingError::TooLong);
        }
        let reserved = self.slots.run_if_made(|token, base, slots| self.reserve_by_section(len, token, base, slots));
        let at = match reserved {
            Some(at) => at,
            None => self.reserve_slowly(len)?,
        };
        // SAFETY: a header of such a record has been written there, in a buffer that lives as long as the ring, and the
        // record is no other's before it is committed.
        Ok(unsafe { Reservation::new(at, len, &self.abandoned) })
    }

    /// The consumer of the ring.
    ///
    /// # Errors
    ///
    /// [`ConsumerError`]: there is one already, of everything or of an index, or no memory for it.
    pub fn consumer(&self) -> Result<Consumer<'_, K>, ConsumerError> {
        Consumer::of_all(self)
    }

    /// The consumer of the records of one index, a CPU or a concurrency ID; with None, of those that are written
    /// without sections. It is what [`Record::index`] returns of them. Several threads can so read a ring, each the
    /// records of its own CPU.
    ///
    /// # Errors
    ///
    /// [`ConsumerError`]: there is one already, of this index or of everything, no ring of this index, or no memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::percpu::{PossibleCpus, Ring};
    ///
    /// static TRACE: Ring = Ring::new(4096);
    ///
    /// TRACE.push(b"somewhere")?;
    /// let mut count = TRACE.consumer_of(None)?.read(|_| ());
    /// if rseq_core::ensure_registered().is_ok() {
    ///     for cpu in 0..PossibleCpus::read()?.slots_by_cpu() as u32 {
    ///         count += TRACE.consumer_of(Some(cpu))?.read(|record| assert_eq!(record.index(), Some(cpu)));
    ///     }
    /// }
    /// assert_eq!(count, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn consumer_of(&self, index: Option<u32>) -> Result<Consumer<'_, K>, ConsumerError> {
        let slot = match index {
            None => &self.fallback,
            Some(index) => self.slots.get(index).ok_or(ConsumerError::NoSlot(index))?,
        };
        Consumer::of_one(self, slot)
    }

    /// What has become of the records so far.
    pub fn totals(&self) -> RingTotals {
        RingTotals {
            read: self.read.sum(),
            dropped: self.dropped.sum(),
            overwritten: self.overwritten.sum(),
            abandoned: self.abandoned.sum(),
        }
    }

    #[inline]
    fn push_by_section(&self, record: &[u8], token: IndexToken<K>, base: *mut Slot, len: usize) -> Result<(), Error> {
        let (src, bytes) = (record.as_ptr(), record.len());
        let (size, header) = (size(bytes), Header::new(bytes, State::Committed).0);
        // SAFETY: `base` is the first of `len` slots STRIDE bytes apart, as `Copies` says; capacities are below `MOST`.
        // The record is so many valid bytes, this is the size of a record of them, and it fits into half of a ring.
        unsafe {
            sections::push::<Release, STRIDE, _, _>(token, base.cast(), len, MOST, size, header, src, bytes)?;
        }
        Ok(())
    }

    #[inline]
    fn reserve_by_section(
        &self,
        len: usize,
        token: IndexToken<K>,
        base: *mut Slot,
        slots: usize,
    ) -> Result<usize, Error> {
        let (size, header) = (size(len), Header::new(len, State::Reserved).0);
        // SAFETY: as above; the caller has compared `len` with the longest record.
        unsafe { sections::reserve::<Release, STRIDE, _, _>(token, base.cast(), slots, MOST, size, header) }
    }

    #[cold]
    #[inline(never)]
    fn push_slowly(&self, record: &[u8]) -> Result<(), RingError> {
        self.write_slowly(
            record.len(),
            State::Committed,
            |token, base, len| self.push_by_section(record, token, base, len),
            // SAFETY: room for the record's header and payload that nobody else writes.
            |at| unsafe { reservation::fill(at, record) },
        )
    }

    #[cold]
    #[inline(never)]
    fn reserve_slowly(&self, len: usize) -> Result<usize, RingError> {
        let by_section = |token, base, slots| self.reserve_by_section(len, token, base, slots);
        self.write_slowly(len, State::Reserved, by_section, |at| at)
    }

    /// Writes a record of `len` bytes by `section`, or, without sections, its header and what `fill` adds at the
    /// header's address.
    fn write_slowly<R>(
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

    /// None without sections, Some(None) if a comparison of the section failed.
    fn run<R>(&self, section: impl Fn(IndexToken<K>, *mut Slot, usize) -> Result<R, Error>) -> Option<Option<R>> {
        self.slots.run(move |token, base, len| match section(token, base, len) {
            Ok(done) => Ok(Some(done)),
            Err(Error::CompareFailed) => Ok(None),
            Err(Error::OutOfRange) => Err(OutOfRange),
        })
    }

    /// Does what there is to do before the slot of this thread's index has room for `size` bytes, one thing at a time.
    fn make_room(&self, size: usize) -> Result<(), RingError> {
        let Some((slot, index)) = self.this_slot() else { return Ok(()) };
        let buffer = match slot.buffer.load(Ordering::Acquire) {
            0 => self.lock.with(|()| slot.map(self.mask, Some(index), &self.list)).ok_or(RingError::NoMemory)?,
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

    /// The slot that this thread's sections use at this moment, and its index.
    fn this_slot(&self) -> Option<(&Slot, u32)> {
        self.slots.run(move |token, base, len| match token.slot() {
            // SAFETY: `base` is the first of slots STRIDE bytes apart, one for each index that the kernel gives, of
            // zeroes at first, which a slot is valid for. They live as long as the ring.
            index if (index as usize) < len => Ok((unsafe { &*base.byte_add(index as usize * STRIDE) }, index)),
            _ => Err(OutOfRange),
        })
    }

    /// The slots that have a buffer.
    fn mapped(&self) -> impl Iterator<Item = &Slot> {
        // SAFETY: the list has slots of this ring, which live as long as it does.
        let slot = |slot: &AtomicPtr<Slot>| unsafe { slot.load(Ordering::Acquire).as_ref() };
        core::iter::successors(slot(&self.list), move |last| slot(&last.consumers.next))
    }

    /// Sets the limit of this thread's slot, if it has this buffer and this tail: the caller looks again in any case.
    fn set_limit(&self, buffer: usize, tail: usize, limit: usize) {
        let place = buffer.wrapping_sub(tail & !self.mask);
        let _ = self.run(|token, base, len| {
            // SAFETY: `base` is the first of `len` slots STRIDE bytes apart, as `Copies` says.
            unsafe { sections::set_limit::<STRIDE, _, _>(token, base.cast(), len, buffer, tail, place, limit) }
        });
    }

    /// Fills the rest of the buffer with padding, if this thread's slot has this buffer and this tail.
    fn pad(&self, buffer: usize, tail: usize, bytes: usize) {
        let (header, new) = (Slot::padding(bytes).0, tail.wrapping_add(bytes));
        let _ = self.run(|token, base, len| {
            let to = ptr::with_exposed_provenance_mut(buffer + (tail & self.mask));
            // SAFETY: as above; `to` is the tail's place in the buffer, which has room for a header there.
            unsafe { sections::pad::<Release, STRIDE, _, _>(token, base.cast(), len, buffer, tail, to, header, new) }
        });
    }

    /// Writes a record in the ring that no section touches.
    fn write_under_lock<R>(&self, header: Header, fill: impl FnOnce(usize) -> R) -> Result<R, RingError> {
        self.count_dropped(self.lock.with(|()| self.write_in_fallback(header, fill)))
    }

    /// The same, with the lock. To be called by one thread at a time.
    fn write_in_fallback<R>(&self, header: Header, fill: impl FnOnce(usize) -> R) -> Result<R, RingError> {
        let slot = &self.fallback;
        let buffer = slot.map(self.mask, None, &self.list).ok_or(RingError::NoMemory)?;
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

impl<K: Index> Drop for Ring<K> {
    fn drop(&mut self) {
        self.mapped().for_each(|slot| slot.unmap(self.mask));
    }
}

fn bytes_of(words: &[usize]) -> &[u8] {
    // SAFETY: words are bytes, without padding.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}
