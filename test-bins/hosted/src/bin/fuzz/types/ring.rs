//! Rings: records are whole, in order, and all accounted for.

use crate::engine::{Outcome, Seat, Subject, Turn, ensure};
use crate::random::Random;
use crate::unrest;
use rseq_core::Index;
use rseq_core::percpu::{Record, Ring, RingError};
use std::sync::atomic::Ordering::Relaxed;

/// Users of a round at most, and CPUs that are told apart.
const USERS: usize = 16;
const INDICES: usize = 64;

/// Words of the longest record.
const WORDS: usize = 40;

pub struct Rings<K: Index> {
    ring: Ring<K>,
    overwrites: bool,
}

/// What a user has written and, if it is the first one, read.
pub struct Records {
    seat: Seat,
    /// Records that it was to write, also those that were dropped.
    tried: u64,
    /// Records that it committed, and the sum of their numbers.
    written: Sum,
    abandoned: u64,
    reader: Option<Box<Reader>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    count: u64,
    numbers: u64,
}

impl Sum {
    fn add(&mut self, number: u64) {
        self.count += 1;
        self.numbers = self.numbers.wrapping_add(number);
    }
}

/// Of each user, what was read of it: the number of the last record by index, and the sum.
struct Reader {
    last: [[u64; INDICES + 1]; USERS],
    read: [Sum; USERS],
}

/// The first word of a record, from which the others follow.
fn tag(user: usize, number: u64) -> usize {
    (user as u64 | number << 8) as usize
}

fn word(tag: usize, at: usize) -> usize {
    tag ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Reader {
    fn take(&mut self, record: Record<'_>) -> Outcome {
        let Some(&tag) = record.words().first() else { return ensure(false, "an empty record", record.len(), 0) };
        let (user, number) = (tag % 256, (tag >> 8) as u64);
        ensure(user < USERS && number > 0, "a record is nobody's", tag, record.len())?;
        let whole = (0..).zip(record.chunks(8)).all(|(at, bytes)| *bytes == word(tag, at).to_ne_bytes()[..bytes.len()]);
        ensure(whole, "a torn record", user, number)?;
        let index = record.index().map_or(INDICES, |index| index as usize % INDICES);
        let last = &mut self.last[user][index];
        ensure(number > *last, "a record came late or twice", number, *last)?;
        *last = number;
        self.read[user].add(number);
        Ok(())
    }
}

impl Records {
    /// The words of the next record.
    fn next(&mut self) -> (u64, [usize; WORDS]) {
        self.tried += 1;
        let tag = tag(self.seat.number, self.tried);
        (self.tried, std::array::from_fn(|at| word(tag, at)))
    }

    fn written(&mut self, number: u64, written: Result<(), RingError>) -> Outcome {
        match written {
            Ok(()) => self.written.add(number),
            Err(RingError::Full) => {}
            Err(_) => return ensure(false, "a ring takes no record", number, 0),
        }
        Ok(())
    }

    fn push<K: Index>(&mut self, ring: &Ring<K>, len: usize) -> Outcome {
        let (number, words) = self.next();
        // SAFETY: words are bytes.
        let bytes = unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), size_of_val(&words)) };
        self.written(number, ring.push(&bytes[..len]))
    }

    fn push_words<const N: usize, K: Index>(&mut self, ring: &Ring<K>) -> Outcome {
        let (number, words) = self.next();
        let words: [usize; N] = std::array::from_fn(|at| words[at]);
        self.written(number, ring.push_words(&words))
    }

    /// In place, and committed on another CPU now and then, or not at all.
    fn reserve<K: Index>(&mut self, ring: &Ring<K>, len: usize, turn: &mut Turn) -> Outcome {
        let (number, words) = self.next();
        let Ok(mut record) = ring.reserve(len) else { return Ok(()) };
        for (place, word) in record.words().iter().zip(words) {
            place.store(word, Relaxed);
        }
        let rest = len / 8 * 8;
        record.write(rest, &words[len / 8 % WORDS].to_ne_bytes());
        if turn.random.one_in(64) && !self.seat.is_handler {
            turn.cpu = turn.random.of(unrest::cpus());
            unrest::move_to(0, turn.cpu);
        }
        if turn.random.one_in(8) {
            self.abandoned += 1;
        } else {
            record.commit();
            self.written.add(number);
        }
        Ok(())
    }
}

/// Reads what is there.
fn read<K: Index>(ring: &Ring<K>, reader: &mut Reader) -> Outcome {
    let Ok(mut consumer) = ring.consumer() else { return ensure(false, "there is another consumer", 0, 0) };
    let (mut outcome, mut count) = (Ok(()), 0);
    let read = consumer.read(|record| {
        count += 1;
        outcome = outcome.and_then(|()| reader.take(record));
    });
    outcome?;
    ensure(read == count, "another number of records was read", read, count)
}

impl<K: Index> Subject for Rings<K> {
    type Part<'s> = Records;

    fn new(random: &mut Random) -> Self {
        let (capacity, overwrites) = (1024 << random.below(5), random.one_in(2));
        let ring = if overwrites { Ring::overwriting(capacity) } else { Ring::new(capacity) };
        Self { ring, overwrites }
    }

    fn part(&self, seat: Seat) -> Records {
        let reader = || Box::new(Reader { last: [[0; INDICES + 1]; USERS], read: [Sum::default(); USERS] });
        let reader = (seat.number == 0).then(reader);
        Records { seat, tried: 0, written: Sum::default(), abandoned: 0, reader }
    }

    fn step(&self, part: &mut Records, turn: &mut Turn) -> Outcome {
        let len = 8 + turn.random.below(WORDS * 8 - 8);
        match (turn.random.below(32), &mut part.reader) {
            (0, Some(reader)) => read(&self.ring, reader),
            (1 | 2, _) => part.push_words::<1, K>(&self.ring),
            (3 | 4, _) => part.push_words::<2, K>(&self.ring),
            (5 | 6, _) => part.push_words::<4, K>(&self.ring),
            (7 | 8, _) => part.push_words::<7, K>(&self.ring),
            (9 | 10, _) => part.push_words::<8, K>(&self.ring),
            (11 | 12, _) => part.push_words::<13, K>(&self.ring),
            (13..20, _) => part.reserve(&self.ring, len, turn),
            _ => part.push(&self.ring, len),
        }
    }

    fn check(&self, mut parts: Vec<Records>) -> Outcome {
        let Some(mut reader) = parts[0].reader.take() else { return ensure(false, "there was no reader", 0, 0) };
        read(&self.ring, &mut reader)?;
        let (totals, tried) = (self.ring.totals(), parts.iter().map(|part| part.tried).sum::<u64>());
        let known = totals.read + totals.dropped + totals.overwritten + totals.abandoned;
        ensure(known == tried, "records are not accounted for", known, tried)?;
        let abandoned = parts.iter().map(|part| part.abandoned).sum::<u64>();
        ensure(totals.abandoned == abandoned, "another number was abandoned", totals.abandoned, abandoned)?;
        let read = reader.read.iter().map(|sum| sum.count).sum::<u64>();
        ensure(totals.read == read, "another number of records was read", totals.read, read)?;
        ensure(self.overwrites || totals.overwritten == 0, "records were overwritten", totals.overwritten, 0)?;
        for (user, part) in parts.iter().enumerate().filter(|_| !self.overwrites) {
            let (written, read) = (part.written, reader.read[user]);
            ensure(written == read, "records of a user were lost or doubled", written.count, read.count)?;
        }
        Ok(())
    }
}
