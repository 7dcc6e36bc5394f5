//! A record that is filled in place.

use super::WORD;
use super::header::{Header, State, UNIT};
use crate::percpu::Counter;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Room for a record, which the consumer gets once it is [committed](Self::commit). Until then the record is memory
/// that nobody else touches, and it may be filled, and committed, on any CPU and in any thread.
///
/// The consumer gets none of the CPU's later records before, so fill it at once. One that is dropped without a commit
/// is [abandoned](super::RingTotals::abandoned), and passed over. One that is forgotten ([`forget`](core::mem::forget))
/// stops that CPU's ring for ever.
#[derive(Debug)]
#[must_use = "the consumer waits for it"]
pub struct Reservation<'a> {
    /// The first word of the record.
    header: &'a AtomicUsize,
    len: usize,
    abandoned: &'a Counter,
}

impl<'a> Reservation<'a> {
    /// # Safety
    ///
    /// At `at` begins a reserved record of `len` bytes, in memory that lives for 'a, and it is nobody else's.
    #[inline]
    pub(super) unsafe fn new(at: usize, len: usize, abandoned: &'a Counter) -> Self {
        // SAFETY: a word of a buffer, aligned, and accessed as an atomic once the section has written it.
        Self { header: unsafe { &*ptr::with_exposed_provenance(at) }, len, abandoned }
    }

    /// Bytes of the record.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "as long as it was reserved")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The whole words of the record, to be filled by stores ([`Ordering::Relaxed`], which are plain stores). They
    /// begin with what was there before.
    #[inline]
    pub fn words(&self) -> &[AtomicUsize] {
        // SAFETY: the payload begins one unit after the header and is as long as the record, in the same buffer; it is
        // aligned to a word.
        unsafe { core::slice::from_raw_parts(ptr::with_exposed_provenance(self.payload()), self.len / WORD) }
    }

    /// Copies `bytes` to the record, from its byte `at` on, as far as it has room: returns how many.
    pub fn write(&mut self, at: usize, bytes: &[u8]) -> usize {
        let at = at.min(self.len);
        let count = bytes.len().min(self.len - at);
        // SAFETY: these bytes are in the record, which is nobody else's.
        unsafe { copy(self.payload() + at, &bytes[..count]) };
        count
    }

    /// Publishes the record.
    #[inline]
    pub fn commit(self) {
        self.end(State::Committed);
        core::mem::forget(self);
    }

    /// The address of the payload, in the provenance of the buffer.
    #[inline]
    fn payload(&self) -> usize {
        ptr::from_ref(self.header).addr() + UNIT
    }

    /// Of this word nobody else writes: a store is enough, wherever the thread is now.
    #[inline]
    fn end(&self, state: State) {
        self.header.store(Header::new(self.len, state).0, Ordering::Release);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.end(State::Abandoned);
        self.abandoned.inc();
    }
}

/// Copies a payload to a record.
///
/// # Safety
///
/// At `to` begins a record with room for `payload`, in a buffer, whose address was exposed, and nobody else writes it.
pub(super) unsafe fn fill(to: usize, payload: &[u8]) {
    // SAFETY: the payload begins one unit after the record; the rest is the caller's contract.
    unsafe { copy(to + UNIT, payload) };
}

/// Copies bytes by words, as consumers that look at what is being overwritten read words.
///
/// # Safety
///
/// From `to` on, as many bytes are in a buffer, whose address was exposed, and nobody else writes the words that they
/// are in.
unsafe fn copy(to: usize, bytes: &[u8]) {
    let (mut to, mut bytes) = (to, bytes);
    while !bytes.is_empty() {
        let within = to % WORD;
        let count = (WORD - within).min(bytes.len());
        let (now, later) = bytes.split_at(count);
        // SAFETY: an aligned word of the buffer.
        let word: &AtomicUsize = unsafe { &*ptr::with_exposed_provenance(to - within) };
        let mut value = word.load(Ordering::Relaxed).to_ne_bytes();
        value[within..within + count].copy_from_slice(now);
        word.store(usize::from_ne_bytes(value), Ordering::Relaxed);
        (to, bytes) = (to + count, later);
    }
}
