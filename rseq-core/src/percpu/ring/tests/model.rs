//! Random operations against a ring that is written down as a queue.

extern crate std;

use super::super::{Record, Reservation, Ring, RingError, RingTotals, WORD};
use super::{has_sections, size, stay_on_this_cpu};
use crate::ByCpu;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::Cell;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::vec::Vec;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reserved,
    Committed,
    Abandoned,
    Padding,
}

/// A ring of one index: what it holds, and how many bytes were ever written and read.
struct Model {
    capacity: usize,
    overwrites: bool,
    head: usize,
    tail: usize,
    /// A number, a length, and a state.
    records: VecDeque<(usize, usize, State)>,
    totals: RingTotals,
}

impl Model {
    fn free(&self) -> usize {
        self.head + self.capacity - self.tail
    }

    fn add(&mut self, number: usize, len: usize, state: State) {
        self.records.push_back((number, len, state));
        self.tail += size(len);
    }

    /// Takes the oldest record out, unless it is reserved.
    fn remove(&mut self) -> Option<(usize, usize, State)> {
        let (_, len, state) = *self.records.front()?;
        if state == State::Reserved {
            return None;
        }
        self.head += size(len);
        self.records.pop_front()
    }

    /// Makes so much room, by giving up the oldest records: an eighth of the ring at least.
    fn discard(&mut self, wanted: usize) -> bool {
        let mut free = self.free();
        for (_, len, _) in self.records.iter().take_while(|record| record.2 != State::Reserved) {
            free += size(*len);
        }
        if free < wanted {
            return false;
        }
        while self.free() < wanted.max(self.capacity / 8) {
            match self.remove() {
                Some((_, _, State::Committed)) => self.totals.overwritten += 1,
                Some(_) => {}
                None => break,
            }
        }
        true
    }

    fn write(&mut self, number: usize, len: usize, state: State) -> Result<(), RingError> {
        if len > self.capacity / 2 - 8 {
            return Err(RingError::TooLong);
        }
        let to_end = self.capacity - self.tail % self.capacity;
        let pads = size(len) > to_end;
        let wanted = size(len) + if pads { to_end } else { 0 };
        if wanted > self.free() && !(self.overwrites && self.discard(wanted)) {
            self.totals.dropped += 1;
            return Err(RingError::Full);
        }
        if pads {
            self.add(0, to_end - 8, State::Padding);
        }
        self.add(number, len, state);
        Ok(())
    }

    fn end(&mut self, number: usize, state: State) {
        let record = self.records.iter_mut().find(|record| record.0 == number && record.2 == State::Reserved);
        record.expect("reserved").2 = state;
        self.totals.abandoned += u64::from(state == State::Abandoned);
    }

    fn read(&mut self) -> Vec<(usize, usize)> {
        let records = core::iter::from_fn(|| self.remove()).filter(|record| record.2 == State::Committed);
        let read: Vec<_> = records.map(|(number, len, _)| (number, len)).collect();
        self.totals.read += read.len() as u64;
        read
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Push(usize),
    PushWords(usize),
    /// By the lock, as without sections.
    PushByLock(usize),
    Reserve(usize),
    /// Ends one of the reservations that there are, by their number.
    Commit(usize),
    Abandon(usize),
    Read,
}

fn operation(longest: usize) -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (0..longest + 2).prop_map(Operation::Push),
        4 => (0..10usize).prop_map(Operation::PushWords),
        2 => (0..longest + 2).prop_map(Operation::PushByLock),
        2 => (0..longest + 2).prop_map(Operation::Reserve),
        2 => any::<usize>().prop_map(Operation::Commit),
        1 => any::<usize>().prop_map(Operation::Abandon),
        2 => Just(Operation::Read),
    ]
}

fn runs() -> impl Strategy<Value = (usize, bool, Vec<Operation>)> {
    (8..12u32, any::<bool>()).prop_flat_map(|(log, overwrites)| {
        let operations = proptest::collection::vec(operation(((1 << log) / 2 - 8).min(200)), 0..200);
        (Just(1 << log), Just(overwrites), operations)
    })
}

/// The bytes of a record. Words are numbers from which its own follows.
fn content(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (number.wrapping_mul(31).wrapping_add(at)) as u8).collect()
}

/// Pushes `len` words, up to nine.
fn push_words(ring: &Ring, len: usize, bytes: &[u8]) -> Result<(), RingError> {
    fn push<const N: usize>(ring: &Ring, bytes: &[u8]) -> Result<(), RingError> {
        let word = |at: usize| bytes[at * WORD..(at + 1) * WORD].try_into().unwrap();
        ring.push_words(&core::array::from_fn::<_, N, _>(|at| usize::from_ne_bytes(word(at))))
    }
    let lengths =
        [push::<0>, push::<1>, push::<2>, push::<3>, push::<4>, push::<5>, push::<6>, push::<7>, push::<8>, push::<9>];
    lengths[len](ring, bytes)
}

/// The number of a record that has this length and content, if it is whole.
fn number_of(record: Record<'_>, expected: usize) -> Option<usize> {
    (*record == *content(expected, record.len())).then_some(expected)
}

struct Run<'r> {
    ring: &'r Ring,
    /// Of this CPU's ring, and of the one that is written under the lock.
    models: [Model; 2],
    reserved: Vec<(usize, Reservation<'r>)>,
    number: usize,
}

impl<'r> Run<'r> {
    fn step(&mut self, operation: Operation) {
        self.number += 1;
        let number = self.number;
        match operation {
            Operation::Push(len) => {
                let expected = self.models[0].write(number, len, State::Committed);
                assert_eq!(self.ring.push(&content(number, len)), expected);
            }
            Operation::PushWords(len) => {
                let expected = self.models[0].write(number, len * WORD, State::Committed);
                assert_eq!(push_words(self.ring, len, &content(number, len * WORD)), expected);
            }
            Operation::PushByLock(len) => {
                let expected = self.models[1].write(number, len, State::Committed);
                assert_eq!(self.ring.push_under_lock(&content(number, len)), expected);
            }
            Operation::Reserve(len) => self.reserve(len),
            Operation::Commit(nth) => self.end(nth, State::Committed),
            Operation::Abandon(nth) => self.end(nth, State::Abandoned),
            Operation::Read => self.read(),
        }
    }

    fn reserve(&mut self, len: usize) {
        let expected = self.models[0].write(self.number, len, State::Reserved);
        let reserved = self.ring.reserve(len);
        assert_eq!(reserved.as_ref().err(), expected.as_ref().err());
        if let Ok(mut reserved) = reserved {
            let bytes = content(self.number, len);
            let (early, late) = bytes.split_at(len / 3);
            assert_eq!(reserved.write(early.len(), late), late.len());
            assert_eq!(reserved.write(0, early), early.len());
            assert_eq!(reserved.write(len, &[1]), 0);
            self.reserved.push((self.number, reserved));
        }
    }

    fn end(&mut self, nth: usize, state: State) {
        if self.reserved.is_empty() {
            return;
        }
        let (number, reserved) = self.reserved.swap_remove(nth % self.reserved.len());
        self.models[0].end(number, state);
        match state {
            State::Committed => reserved.commit(),
            _ => drop(reserved),
        }
    }

    fn read(&mut self) {
        let mut expected = [self.models[0].read(), self.models[1].read()].map(Vec::into_iter);
        let mut consumer = self.ring.consumer().expect("there is no other");
        consumer.read(|record| {
            let (number, len) =
                expected[usize::from(record.index().is_none())].next().expect("a record more than the model");
            assert_eq!((number_of(record, number), record.len()), (Some(number), len));
        });
        assert!(expected.iter().all(|rest| rest.len() == 0), "fewer records than the model");
        assert_eq!(self.ring.totals(), sum(self.models[0].totals, self.models[1].totals));
    }
}

fn sum(one: RingTotals, other: RingTotals) -> RingTotals {
    RingTotals {
        read: one.read + other.read,
        dropped: one.dropped + other.dropped,
        overwritten: one.overwritten + other.overwritten,
        abandoned: one.abandoned + other.abandoned,
    }
}

/// A test runner with a random seed. A failure shows the seed; to repeat it, set `RING_SEED` to that.
fn runner(cases: u32) -> TestRunner {
    let seed = match std::env::var("RING_SEED") {
        Ok(seed) => seed.parse().expect("RING_SEED is a number"),
        Err(_) => RandomState::new().hash_one(()),
    };
    std::println!("RING_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&u64::to_le_bytes(seed));
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Config { cases, failure_persistence: None, ..Config::default() }, random)
}

#[test]
fn operations_do_what_the_model_does() {
    if !has_sections() {
        return;
    }
    stay_on_this_cpu();
    let totals = Cell::new(RingTotals::default());
    let result = runner(100).run(&runs(), |(capacity, overwrites, operations)| {
        let ring = if overwrites { Ring::<ByCpu>::overwriting(capacity) } else { Ring::new(capacity) };
        let model = || Model {
            capacity,
            overwrites,
            head: 0,
            tail: 0,
            records: VecDeque::new(),
            totals: RingTotals::default(),
        };
        let mut run = Run { ring: &ring, models: [model(), model()], reserved: Vec::new(), number: 0 };
        operations.into_iter().for_each(|operation| run.step(operation));
        while !run.reserved.is_empty() {
            run.end(0, State::Committed);
        }
        run.read();
        totals.set(sum(totals.get(), ring.totals()));
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    let totals = totals.get();
    assert!(totals.read.min(totals.dropped).min(totals.overwritten).min(totals.abandoned) > 100, "{totals:?}");
}
