//! Stacks, one and of several classes: each item is there once, in the order that is promised.

mod model;
mod shelf;

use crate::engine::{Outcome, Seat, Subject, Turn, ensure};
use crate::random::Random;
use crate::unrest;
use model::Model;
use rseq_core::percpu::{Batch, RemoteError};
use rseq_core::{ByCpu, Index, Status, status};
use shelf::{CLASSES, Shelf};
pub use shelf::{ManyStacks, OneStack};

/// Items of each user and class.
const ITEMS: usize = 20;

/// An item as a word: its number, who pushed it last, and that one's how manieth push it was.
fn word(item: usize, pusher: usize, push: u64) -> usize {
    item | pusher << 16 | (push as usize) << 24
}

fn item(word: usize) -> usize {
    word & 0xffff
}

fn class(word: usize) -> usize {
    item(word) % CLASSES
}

/// The items that a user has.
pub struct Items {
    seat: Seat,
    pushes: u64,
    held: [Vec<usize>; CLASSES],
    /// What the first user has resized arrays to, by class and place in the list of CPUs.
    capacities: [Vec<usize>; CLASSES],
    model: Option<Model>,
}

impl Items {
    fn new(seat: Seat, is_by_cpu: bool) -> Self {
        let mut held = [const { Vec::new() }; CLASSES];
        for (class, held) in held.iter_mut().enumerate() {
            // A handler must not allocate when it gets items of others.
            held.reserve_exact(ITEMS * seat.seats);
            held.extend((0..ITEMS).map(|number| (number * seat.seats + seat.number) * CLASSES + class));
        }
        let has_model = seat.is_alone && !seat.is_handler && is_by_cpu && matches!(status(), Status::On(_));
        let capacities = [const { Vec::new() }; CLASSES];
        Self { seat, pushes: 0, held, capacities, model: has_model.then(Model::default) }
    }

    /// The last item of a class, tagged as what is pushed next.
    fn next(&mut self, class: usize) -> Option<usize> {
        self.pushes += 1;
        Some(word(item(self.held[class].pop()?), self.seat.number, self.pushes))
    }

    /// Takes a word that was popped from a class.
    fn hold(&mut self, from: usize, word: usize) -> Outcome {
        ensure(class(word) == from, "an item was in another class", word as u64, from)?;
        let held = &mut self.held[from];
        ensure(held.len() < held.capacity(), "there are more items than were made", held.len(), from)?;
        held.push(word);
        Ok(())
    }

    fn push<S: Shelf>(&mut self, shelf: &S, class: usize, cpu: u32) -> Outcome {
        let Some(word) = self.next(class) else { return Ok(()) };
        let pushed = shelf.push(class, word);
        if let Some(model) = &mut self.model {
            let has_room = model.push(cpu, class, word);
            ensure(pushed.is_ok() == has_room, "a push was refused, or was not", model.len(cpu, class), class)?;
        }
        match pushed {
            Ok(()) => Ok(()),
            Err(full) => {
                ensure(full.0 == word, "another item came back", full.0, word)?;
                self.hold(class, word)
            }
        }
    }

    fn pop<S: Shelf>(&mut self, shelf: &S, class: usize, cpu: u32) -> Outcome {
        let popped = shelf.pop(class);
        if let Some(model) = &mut self.model {
            let expected = model.pop(cpu, class);
            ensure(popped == expected, "another item was popped", popped.unwrap_or(0), expected.unwrap_or(0))?;
        }
        popped.map_or(Ok(()), |word| self.hold(class, word))
    }

    fn push_batch<S: Shelf>(&mut self, shelf: &S, class: usize, cpu: u32, random: &mut Random) -> Outcome {
        let (mut batch, mut words) = (Batch::<usize, 16>::new(), [0; 16]);
        let count = 1 + random.below(16);
        for place in &mut words[..count] {
            let Some(word) = self.next(class) else { break };
            *place = word;
            let _ = batch.push(word);
        }
        let len = batch.len();
        let pushed = shelf.push_batch(class, &mut batch);
        ensure(pushed + batch.len() == len, "a batch lost items", pushed, batch.len())?;
        if let Some(model) = &mut self.model {
            let expected = words[..len].iter().take_while(|&&word| model.push(cpu, class, word)).count();
            ensure(pushed == expected, "a batch pushed another number", pushed, expected)?;
        }
        for &word in words[pushed..len].iter().rev() {
            let left = batch.pop();
            ensure(left == Some(word), "another item was left in the batch", left.unwrap_or(0), word)?;
            self.hold(class, word)?;
        }
        Ok(())
    }

    fn pop_batch<S: Shelf>(&mut self, shelf: &S, class: usize, cpu: u32) -> Outcome {
        let mut batch = Batch::<usize, 16>::new();
        let popped = shelf.pop_batch(class, &mut batch);
        ensure(popped == batch.len(), "a batch got another number", popped, batch.len())?;
        let mut order = Order::default();
        for _ in 0..popped {
            let Some(word) = batch.pop() else { break };
            order.next(word)?;
            if let Some(model) = &mut self.model {
                let expected = model.pop(cpu, class);
                ensure(Some(word) == expected, "a batch got another item", word, expected.unwrap_or(0))?;
            }
            self.hold(class, word)?;
        }
        if let Some(model) = &self.model {
            ensure(popped == 16 || model.len(cpu, class) == 0, "a batch left items", popped, model.len(cpu, class))?;
        }
        Ok(())
    }

    /// Takes the items of a CPU, or those that it has more than so many.
    fn evict<S: Shelf>(&mut self, shelf: &S, class: usize, cpu: u32, capacity: Option<usize>) -> Outcome {
        let (mut outcome, mut order, mut count) = (Ok(()), Order::default(), 0);
        let mut each = |word| {
            count += 1;
            let mut expected = word;
            if let Some(model) = &mut self.model {
                expected = model.pop(cpu, class).unwrap_or(0);
            }
            let as_expected = ensure(word == expected, "another item was drained", word as u64, expected as u64);
            outcome = outcome.and(as_expected).and(order.next(word)).and_then(|()| {
                let held = &mut self.held[class];
                ensure(held.len() < held.capacity(), "there are more items than were made", held.len(), class)?;
                held.push(word);
                Ok(())
            });
        };
        let evicted = match capacity {
            Some(capacity) => shelf.resize(class, cpu, capacity, &mut each),
            None => shelf.drain(class, cpu, &mut each),
        };
        outcome?;
        match evicted {
            Ok(evicted) => ensure(evicted == count, "so many items were not drained", evicted, count)?,
            Err(RemoteError::Busy) if self.model.is_none() => return Ok(()),
            Err(RemoteError::NoSlot(_)) if self.model.is_none() => return Ok(()),
            Err(_) => return ensure(false, "an array was not drained", cpu, class),
        }
        let left = capacity.unwrap_or(0);
        if let Some(model) = &mut self.model {
            ensure(model.len(cpu, class) <= left, "a drain left items", model.len(cpu, class), left)?;
            if let Some(capacity) = capacity {
                model.resize(cpu, class, capacity);
            }
        }
        self.note_capacity(shelf, class, cpu, capacity)
    }

    /// The first user alone resizes arrays, and so knows what they take.
    fn note_capacity<S: Shelf>(&mut self, shelf: &S, class: usize, cpu: u32, capacity: Option<usize>) -> Outcome {
        let Some(capacity) = capacity else { return Ok(()) };
        let capacities = &mut self.capacities[class];
        capacities.resize((cpu as usize + 1).max(capacities.len()), S::capacity(class));
        capacities[cpu as usize] = capacity;
        ensure(shelf.capacity_of(class, cpu) == capacity, "an array has another capacity", cpu, capacity)
    }

    fn look<S: Shelf>(&self, shelf: &S, class: usize, cpu: u32) -> Outcome {
        let len = shelf.len_of(class, cpu);
        if let Some(model) = &self.model {
            ensure(len == model.len(cpu, class), "an array has another length", len, model.len(cpu, class))?;
            ensure(shelf.len(class) == model.all(class), "there is another number of items", shelf.len(class), class)?;
        }
        let capacity = self.capacities[class].get(cpu as usize).copied().unwrap_or(S::capacity(class));
        ensure(len <= capacity, "an array has more items than it takes", len, capacity)
    }
}

/// The pushes of each user as they are popped: from the last one on.
#[derive(Default)]
struct Order([usize; 16]);

impl Order {
    fn next(&mut self, word: usize) -> Outcome {
        let (pusher, push) = (word >> 16 & 0xff, word >> 24);
        let last = &mut self.0[pusher % 16];
        ensure(*last == 0 || push < *last, "items are not in the order in which they were pushed", push, *last)?;
        *last = push;
        Ok(())
    }
}

fn step<S: Shelf>(shelf: &S, items: &mut Items, turn: &mut Turn) -> Outcome {
    let (class, cpu) = (turn.random.below(S::CLASSES), turn.random.of(unrest::cpus()));
    match turn.random.below(128) {
        0 | 1 => items.evict(shelf, class, cpu, None),
        2 if items.seat.number == 0 => {
            // Now and then no item at all.
            let capacity = turn.random.below(S::capacity(class) + 1) * turn.random.below(4).min(1);
            items.evict(shelf, class, cpu, Some(capacity))
        }
        3..6 => items.look(shelf, class, cpu),
        6..48 => items.push(shelf, class, turn.cpu),
        48..88 => items.pop(shelf, class, turn.cpu),
        88..108 => items.push_batch(shelf, class, turn.cpu, &mut turn.random),
        _ => items.pop_batch(shelf, class, turn.cpu),
    }
}

/// Each item that the users were given is held by one of them, or in an array.
fn check<S: Shelf>(shelf: &S, parts: &[Items]) -> Outcome {
    for class in 0..S::CLASSES {
        let mut found: Vec<_> = parts.iter().flat_map(|part| &part.held[class]).map(|&word| item(word)).collect();
        let (len, mut drained) = (shelf.len(class), 0);
        let all = shelf.drain_all(class, &mut |word| {
            drained += 1;
            found.push(item(word));
        });
        ensure(all == Ok(drained) && len == drained, "another number was there to drain", len, drained)?;
        found.sort_unstable();
        let made = ITEMS * parts.len();
        let wrong = (0..made).find(|&at| found.get(at) != Some(&(at * CLASSES + class)));
        ensure(found.len() == made && wrong.is_none(), "items were lost or doubled", found.len(), made)?;
    }
    Ok(())
}

macro_rules! subject {
    ($shelf:ident) => {
        impl<K: Index> Subject for $shelf<K> {
            type Part<'s> = Items;

            fn new(_: &mut Random) -> Self {
                Shelf::new()
            }

            fn part(&self, seat: Seat) -> Items {
                Items::new(seat, K::OFFSET == ByCpu::OFFSET)
            }

            fn step(&self, part: &mut Items, turn: &mut Turn) -> Outcome {
                step(self, part, turn)
            }

            fn check(&self, parts: Vec<Items>) -> Outcome {
                check(self, &parts)
            }
        }
    };
}

subject!(OneStack);
subject!(ManyStacks);
