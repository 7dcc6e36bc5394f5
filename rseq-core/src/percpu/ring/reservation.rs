//! A record that is filled in place.

use super::WORD;
use super::header::{Header, State, UNIT};
use crate::percpu::Counter;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Room for a record, which the consumer gets once it is [committed](Self::commit). Until then nothing else uses the
/// record, and any thread may fill and commit it, on any CPU.
///
/// Until then the consumer gets none of the CPU's later records, so fill it at once. If it is dropped without a commit,
/// the record is [abandoned](super::RingTotals::abandoned) and skipped. If it is forgotten
/// ([`forget`](core::mem::forget)), that CPU's ring stops for good.
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
    /// A reserved record of `len` bytes begins at `at`, in memory that lives for 'a, and nothing else uses it.
    #[inline]
    pub(super) unsafe fn new(at: usize, len: usize, abandoned: &'a Counter) -> Self {
        // SAFETY: by the caller's contract it is an aligned word of a buffer that lives for 'a; after the section has
        // written it, it is accessed as an atomic only.
        Self { header: unsafe { &*ptr::with_exposed_provenance(at) }, len, abandoned }
    }

    /// Bytes of the record.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "as long as it was reserved")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The whole words of the record, to be filled by stores ([`Ordering::Relaxed`], which are plain stores). Their
    /// values are those of earlier records at first.
    #[inline]
    pub fn words(&self) -> &[AtomicUsize] {
        // SAFETY: the payload begins one unit after the header and is as long as the record, in the same buffer; it is
        // aligned to a word.
        unsafe { core::slice::from_raw_parts(ptr::with_exposed_provenance(self.payload()), self.len / WORD) }
    }

    /// Copies `bytes` to the record from its byte `at` on, as far as there is room, and returns how many.
    pub fn write(&mut self, at: usize, bytes: &[u8]) -> usize {
        let at = at.min(self.len);
        let count = bytes.len().min(self.len - at);
        // SAFETY: these bytes are within the record, which only this reservation uses.
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

    /// Only the reservation writes this word, so a store is enough, on whatever CPU the thread runs.
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
/// A record with room for `payload` begins at `to`, in a buffer whose address was exposed, and nothing else writes it.
pub(super) unsafe fn fill(to: usize, payload: &[u8]) {
    // SAFETY: the payload begins one unit after the record; the rest is the caller's contract.
    unsafe { copy(to + UNIT, payload) };
}

/// Copies bytes as words, because consumers read words while records are being overwritten.
///
/// # Safety
///
/// As many bytes from `to` on are in a buffer whose address was exposed, and nothing else writes the words that they
/// are in.
unsafe fn copy(to: usize, bytes: &[u8]) {
    let (mut to, mut bytes) = (to, bytes);
    while !bytes.is_empty() {
        let within = to % WORD;
        let count = (WORD - within).min(bytes.len());
        let (now, later) = bytes.split_at(count);
        // SAFETY: by the caller's contract it is an aligned word of the buffer.
        let word: &AtomicUsize = unsafe { &*ptr::with_exposed_provenance(to - within) };
        let mut value = word.load(Ordering::Relaxed).to_ne_bytes();
        value[within..within + count].copy_from_slice(now);
        word.store(usize::from_ne_bytes(value), Ordering::Relaxed);
        (to, bytes) = (to + count, later);
    }
}
