//! A ring of messages for each index, written by sections that run there and read by everybody.

use core::sync::atomic::{AtomicUsize, Ordering, fence};

use harness::slots::Slots;
use harness::sys::memory::Mapping;
use rseq_core::sys::Errno;

/// Words of a message; each that is written holds the message's number.
pub const WORDS: usize = 8;
/// Messages of a ring.
const LENGTH: usize = 64;

/// The messages, and the number of the last one of each ring, 0 at first.
pub struct Rings {
    numbers: Slots,
    messages: Mapping,
}

/// Where the next message goes.
pub struct Place {
    /// The ring's number, and what it is.
    pub number: *mut usize,
    pub last: usize,
    /// The words of the message.
    pub message: *mut usize,
}

/// What was there to receive.
pub enum Got {
    Nothing,
    /// The sender came round while the message was read.
    Lapped,
    /// A message; not `whole` if a word of it is not the one that its number stands for.
    Message {
        whole: bool,
    },
}

impl Rings {
    pub fn new() -> Result<Self, Errno> {
        let numbers = Slots::new()?;
        let messages = Mapping::private(numbers.count() * LENGTH * WORDS * size_of::<usize>())?;
        Ok(Self { numbers, messages })
    }

    pub fn count(&self) -> usize {
        self.numbers.count()
    }

    fn message(&self, slot: usize, number: usize) -> Option<*mut usize> {
        self.messages.slot::<usize>((slot * LENGTH + number % LENGTH) * WORDS)
    }

    fn number(&self, slot: usize) -> Option<&AtomicUsize> {
        // SAFETY: an aligned word that lives as long as the slots, and that is written as whole words only.
        self.numbers.word(slot).map(|word| unsafe { AtomicUsize::from_ptr(word) })
    }

    /// Where the next message of this ring goes; `None` for a number that is no ring's.
    pub fn next(&self, slot: usize) -> Option<Place> {
        let last = self.number(slot)?.load(Ordering::Relaxed);
        Some(Place { number: self.numbers.word(slot)?, last, message: self.message(slot, last.wrapping_add(1))? })
    }

    /// Reads the last message of a ring, so many of its words.
    pub fn receive(&self, slot: usize, words: usize) -> Got {
        let Some(number) = self.number(slot) else { return Got::Nothing };
        let last = number.load(Ordering::Acquire);
        let Some(message) = self.message(slot, last).filter(|_| last != 0) else { return Got::Nothing };
        // The word that sections store last first: it had the least time to arrive.
        let whole = (WORDS - words..WORDS).rev().all(|word| {
            // SAFETY: within the mapping, aligned, written by whole words only.
            let word = unsafe { AtomicUsize::from_ptr(message.wrapping_add(word)) };
            word.load(Ordering::Relaxed) == last
        });
        fence(Ordering::Acquire);
        // The section that overwrites this message begins once the one before it is there.
        match number.load(Ordering::Relaxed).wrapping_sub(last) {
            passed if passed >= LENGTH - 1 => Got::Lapped,
            _ => Got::Message { whole },
        }
    }
}
