//! Rings of records: each CPU writes into its own ring, and one consumer reads them all, or one for each CPU.

mod consumer;
mod error;
mod header;
mod reservation;
mod ring_sections;
mod ring_slot;
mod slow;
#[cfg(all(test, not(miri), not(rseq_stub)))]
mod tests;

use super::Counter;
use super::copies::Copies;
use super::lock::SpinLock;
use super::memory::STRIDE;
use crate::ops::this_cpu::Error;
use crate::{Ambient, ByCpu, Index, Release, Token};
pub use consumer::{Consumer, Record};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize};
pub use error::{ConsumerError, RingError};
use header::{Header, State, size};
pub use reservation::Reservation;
use ring_slot::Slot;

const WORD: usize = size_of::<usize>();

type IndexToken<K> = Token<'static, Ambient, K>;

/// The smallest capacity in bytes, so that eight words are never too long.
const SMALLEST: usize = 256;

/// More than any capacity, and far below the largest word.
const MOST: usize = 1 << (usize::BITS - 2);

/// The largest capacity in bytes.
const LARGEST: usize = 1 << (if usize::BITS == 64 { 40 } else { 28 });

/// Records of any length, such as those of a tracer. Any thread writes them, at the cost of a copy. One [`Consumer`]
/// reads them all, or [one consumer](Self::consumer_of) those of each CPU.
///
/// Each CPU has its own ring, in memory that is mapped when the CPU writes its first record. A record that
/// [`push`](Self::push) writes is published whole or not at all, even if a signal handler interrupts it and pushes as
/// well. [`reserve`](Self::reserve) makes room for a record that is filled in place and committed later, on whatever
/// CPU the thread then runs.
///
/// The records of one thread in the ring of one CPU are read in the order in which they were written. Across CPUs there
/// is no order, unless the records carry time stamps.
///
/// When a CPU's ring is full, new records are dropped ([`new`](Self::new)), or the oldest ones are overwritten
/// ([`overwriting`](Self::overwriting)). Both are counted: see [`RingTotals`].
///
/// Where rseq is not available, and in a thread that is ending, one more ring takes the record, under a lock:
/// [`status`](crate::status) says which applies.
///
/// A child of `fork` has a copy of the records. Other threads' consumers and reservations stay as they were at the
/// fork: the child cannot have such a consumer again, and reads no further in a CPU's ring than to the reservation.
///
/// `K` is the index of the rings: [`ByCpu`], or [`ByMmCid`](crate::ByMmCid), with which a process with few
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
    /// How many consumers of one slot there are; [`ALL`](consumer::ALL) while one consumer reads all slots.
    readers: AtomicUsize,
    read: Counter,
    dropped: Counter,
    overwritten: Counter,
    abandoned: Counter,
    /// Held to write in `fallback`, or to map a buffer.
    lock: SpinLock<()>,
    fallback: Slot,
    /// The slots of indices that have a buffer. They do not move with the ring; `fallback` does.
    list: AtomicPtr<Slot>,
}

/// The fate of a ring's records so far. Once everything that was written has been read, the four fields add up to the
/// calls of [`push`](Ring::push) and [`reserve`](Ring::reserve), except those that were
/// [`TooLong`](RingError::TooLong). They wrap around at 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingTotals {
    /// Records that the consumer read.
    pub read: u64,
    /// Records that were not written, because there was no room or no memory.
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

    /// The same, except that a full ring overwrites its oldest records, an eighth of the ring at a time.
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

    /// The size of each CPU's ring in bytes.
    pub const fn capacity(&self) -> usize {
        self.mask + 1
    }

    /// The longest record in bytes: half of the ring, less 8.
    pub const fn longest(&self) -> usize {
        self.capacity() / 2 - header::UNIT
    }

    /// Writes a record. It is published whole; the caller's memory is free again.
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
            1 => ring_sections::push_1::<Release, STRIDE, _, _>,
            2 => ring_sections::push_2::<Release, STRIDE, _, _>,
            3 => ring_sections::push_3::<Release, STRIDE, _, _>,
            4 => ring_sections::push_4::<Release, STRIDE, _, _>,
            5 => ring_sections::push_5::<Release, STRIDE, _, _>,
            6 => ring_sections::push_6::<Release, STRIDE, _, _>,
            7 => ring_sections::push_7::<Release, STRIDE, _, _>,
            8 => ring_sections::push_8::<Release, STRIDE, _, _>,
            _ => return self.push(bytes_of(record)),
        };
        let header = const { Header::new(N * WORD, State::Committed).0 };
        // SAFETY: `base` is the first of `len` slots STRIDE bytes apart, as `Copies` has them; capacities are below
        // `MOST`. Each section gets as many words as its name says, and the header of a record of them.
        let pushed = self
            .slots
            .run_if_made(|token, base, len| unsafe { push(token, base.cast(), len, MOST, header, record.as_ptr()) });
        pushed.map_or_else(|| self.push_slowly(bytes_of(record)), |_| Ok(()))
    }

    /// Makes room for a record of `len` bytes, to be filled and committed. Until then the consumer gets no later record
    /// of this CPU, and does not wait for it.
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
        // SAFETY: the header of a reserved record of `len` bytes has been written there, in a buffer that lives as long
        // as the ring, and only the reservation may use the record before it is committed.
        Ok(unsafe { Reservation::new(at, len, &self.abandoned) })
    }

    /// The consumer of the ring.
    ///
    /// # Errors
    ///
    /// [`ConsumerError`]: there is one already, of all records or of an index, or there is no memory for it.
    pub fn consumer(&self) -> Result<Consumer<'_, K>, ConsumerError> {
        Consumer::of_all(self)
    }

    /// The consumer of the records of one index, a CPU or a concurrency ID; with None, of those that are written
    /// without sections. [`Record::index`] returns the same value. Several threads can so read a ring, each the records
    /// of its own CPU.
    ///
    /// # Errors
    ///
    /// [`ConsumerError`]: there is one already, of this index or of all records, there is no ring of this index, or no
    /// memory.
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
    ///     for cpu in PossibleCpus::read()?.iter() {
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

    /// The fate of the records so far.
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
        // SAFETY: `base` is the first of `len` slots STRIDE bytes apart, as `Copies` has them; capacities are below
        // `MOST`. The record's bytes are valid, `size` is the size of a record of them, and it fits into half of a
        // ring.
        unsafe {
            ring_sections::push::<Release, STRIDE, _, _>(token, base.cast(), len, MOST, size, header, src, bytes)?;
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
        unsafe { ring_sections::reserve::<Release, STRIDE, _, _>(token, base.cast(), slots, MOST, size, header) }
    }

    /// All slots that have a buffer.
    fn mapped(&self) -> impl Iterator<Item = &Slot> {
        // SAFETY: the list holds slots of `slots`, whose memory lives as long as this ring.
        let listed = unsafe { Slot::listed(&self.list) };
        listed.chain([&self.fallback]).filter(|slot| slot.is_mapped())
    }
}

impl<K: Index> Drop for Ring<K> {
    fn drop(&mut self) {
        self.mapped().for_each(|slot| slot.unmap(self.mask));
    }
}

fn bytes_of(words: &[usize]) -> &[u8] {
    // SAFETY: `words` is borrowed, and its memory is as many initialised bytes: words have no padding.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}
