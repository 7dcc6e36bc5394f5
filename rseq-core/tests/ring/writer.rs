//! Those who write, and what.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;

use rseq_core::Index;
use rseq_core::percpu::{Ring, RingError};

use crate::affinity;

/// Bytes of the longest record.
const LONGEST: usize = 120;

/// Which of a ring's operations are used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ways {
    Pushes,
    All,
}

/// A thread that writes, or its handler.
pub struct Writer {
    who: usize,
    attempts: AtomicUsize,
    written: AtomicU64,
    dropped: AtomicU64,
    abandoned: AtomicU64,
}

impl Writer {
    pub fn new(who: usize) -> Self {
        let [written, dropped, abandoned] = [0; 3].map(AtomicU64::new);
        Self { who, attempts: AtomicUsize::new(0), written, dropped, abandoned }
    }

    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    pub fn abandoned(&self) -> u64 {
        self.abandoned.load(Relaxed)
    }

    /// Writes so many records, on one CPU after the other.
    pub fn write<K: Index>(&self, ring: &Ring<K>, ways: Ways, times: usize) {
        let cpus = affinity::allowed();
        for turn in 0..times {
            if turn % 128 == 0 {
                affinity::pin(cpus[(turn / 128 + self.who) % cpus.len()]);
            }
            match turn % 8 {
                0..3 => self.push(ring),
                3..6 => self.push_words(ring),
                _ if ways == Ways::Pushes => self.push(ring),
                _ => self.reserve(ring, turn, &cpus),
            }
        }
    }

    fn push<K: Index>(&self, ring: &Ring<K>) {
        let number = self.attempts.fetch_add(1, Relaxed);
        let (bytes, len) = content(self.who, number);
        self.count(ring.push(&bytes[..len]));
    }

    /// Two, four or eight words.
    fn push_words<K: Index>(&self, ring: &Ring<K>) {
        let number = self.attempts.fetch_add(1, Relaxed);
        self.count(match number % 3 {
            0 => ring.push_words(&words::<2>(self.who, number)),
            1 => ring.push_words(&words::<4>(self.who, number)),
            _ => ring.push_words(&words::<8>(self.who, number)),
        });
    }

    /// Fills a record on one CPU, and commits it on another, at times.
    fn reserve<K: Index>(&self, ring: &Ring<K>, turn: usize, cpus: &[u32]) {
        let number = self.attempts.fetch_add(1, Relaxed);
        let (bytes, len) = content(self.who, number);
        let mut record = match ring.reserve(len) {
            Ok(record) => record,
            Err(error) => return self.count(Err(error)),
        };
        record.write(0, &bytes[..len / 2]);
        match turn % 64 {
            6 => affinity::pin(cpus[(turn / 64) % cpus.len()]),
            7 => thread::yield_now(),
            _ => {}
        }
        record.write(len / 2, &bytes[len / 2..len]);
        if turn % 64 == 14 {
            drop(record);
            self.abandoned.fetch_add(1, Relaxed);
        } else {
            record.commit();
            self.count(Ok(()));
        }
    }

    fn count(&self, written: Result<(), RingError>) {
        let counter = match written {
            Ok(()) => &self.written,
            Err(RingError::Full) => &self.dropped,
            Err(error) => panic!("{error}"),
        };
        counter.fetch_add(1, Relaxed);
    }
}

type Handled = (&'static (dyn Fn(&Writer) + Sync), &'static Writer);

thread_local! {
    /// What the handler does in this thread.
    static HANDLED: Cell<Option<Handled>> = const { Cell::new(None) };
}

/// Runs `work` in a thread whose handler is this writer of the ring.
pub fn with_handler<K: Index + Sync>(ring: &'static Ring<K>, writer: &'static Writer, work: impl FnOnce()) {
    HANDLED.set(Some((Box::leak(Box::new(|writer: &Writer| writer.push(ring))), writer)));
    work();
    HANDLED.set(None);
}

pub extern "C" fn write_in_handler(_: i32) {
    if let Some((write, writer)) = HANDLED.get() {
        write(writer);
    }
}

/// The bytes of a record, and how many they are.
fn content(who: usize, number: usize) -> ([u8; LONGEST], usize) {
    let mut bytes = [0; LONGEST];
    for (at, chunk) in bytes.chunks_mut(size_of::<usize>()).enumerate() {
        chunk.copy_from_slice(&word(who, number, at).to_ne_bytes());
    }
    let head = 2 * size_of::<usize>();
    (bytes, head + number % (LONGEST - head))
}

/// The words of a record: who wrote it, its number among theirs, and words that follow from these.
fn word(who: usize, number: usize, at: usize) -> usize {
    match at {
        0 => who,
        1 => number,
        _ => (who << 24 ^ number).wrapping_mul(0x9e37_79b1).rotate_left(13).wrapping_add(at),
    }
}

fn words<const N: usize>(who: usize, number: usize) -> [usize; N] {
    std::array::from_fn(|at| word(who, number, at))
}

/// Whether these are the bytes of that record.
pub fn is_whole(who: usize, number: usize, record: &[u8]) -> bool {
    let (bytes, len) = content(who, number);
    let words = [2, 4, 8][number % 3] * size_of::<usize>();
    (record.len() == len || record.len() == words) && *record == bytes[..record.len()]
}
