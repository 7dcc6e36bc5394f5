//! Pools: a value has one owner, and nothing that it did is lost.

use crate::engine::{Outcome, Seat, Subject, Turn, ensure};
use crate::random::Random;
use rseq_core::Index;
use rseq_core::percpu::{Node, Pool, PoolItem};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Values that a user holds at most.
const HELD: usize = 20;

/// Nodes are added so many at a time, up to so many times.
const NODES: usize = 40;
const ADDED: u64 = 4;

pub struct Pools<K: Index> {
    pool: Pool<'static, Value, K>,
    /// How many users have got, which is how many values there are.
    added: AtomicU64,
}

/// How often it was popped, and by whom it is held: 0 for no thread.
pub struct Value {
    pops: u64,
    holder: u64,
}

/// The values that a user holds.
pub struct Held<'s, K: Index> {
    seat: Seat,
    items: Vec<PoolItem<'s, Value, K>>,
    pops: u64,
}

impl<'s, K: Index> Held<'s, K> {
    fn name(&self) -> u64 {
        self.seat.number as u64 + 1
    }

    fn pop(&mut self, pool: &'s Pool<'static, Value, K>) -> Outcome {
        let name = self.name();
        let Some(mut item) = pool.pop() else { return Ok(()) };
        ensure(item.holder == 0, "a value has two holders", item.holder, name)?;
        item.holder = name;
        item.pops += 1;
        self.pops += 1;
        self.items.push(item);
        Ok(())
    }

    fn push(&mut self, at: usize) -> Outcome {
        let name = self.name();
        let mut item = self.items.swap_remove(at);
        ensure(item.holder == name, "a value got another holder", item.holder, name)?;
        item.holder = 0;
        Ok(())
    }
}

impl<K: Index> Pools<K> {
    /// Nodes live as long as the process: a round takes 5 KiB.
    fn add(&self) {
        let nodes = (0..NODES).map(|_| Node::new(Value { pops: 0, holder: 0 }));
        self.pool.add(nodes.collect::<Vec<_>>().leak());
        self.added.fetch_add(1, Relaxed);
    }
}

impl<K: Index> Subject for Pools<K> {
    type Part<'s> = Held<'s, K>;

    fn new(random: &mut Random) -> Self {
        let pool = Self { pool: Pool::with_limit(random.below(64)), added: AtomicU64::new(0) };
        pool.add();
        pool
    }

    fn part(&self, seat: Seat) -> Held<'_, K> {
        Held { seat, items: Vec::with_capacity(HELD), pops: 0 }
    }

    fn step<'s>(&'s self, part: &mut Held<'s, K>, turn: &mut Turn) -> Outcome {
        let held = part.items.len();
        match turn.random.below(64) {
            0 if self.pool.reclaim().is_err() => ensure(false, "the fence was refused", 0, 0),
            0 => Ok(()),
            1 if part.seat.number == 0 && self.added.load(Relaxed) < ADDED => {
                self.add();
                Ok(())
            }
            2 => {
                let (len, all) = (self.pool.len(), self.added.load(Relaxed) as usize * NODES);
                let is_exact = !part.seat.is_alone || len + held == all;
                ensure(is_exact, "another number of values is in lists", len, all)
            }
            choice if held > 0 && (held == HELD || choice % 2 == 0) => part.push(turn.random.below(held)),
            _ => part.pop(&self.pool),
        }
    }

    fn check(&self, mut parts: Vec<Held<'_, K>>) -> Outcome {
        for part in &mut parts {
            while !part.items.is_empty() {
                part.push(0)?;
            }
        }
        let (all, len) = (self.added.load(Relaxed) as usize * NODES, self.pool.len());
        ensure(len == all, "values were lost or doubled", len, all)?;
        let Ok(drained) = self.pool.drain() else { return ensure(false, "the fence was refused", 0, 0) };
        let items: Vec<_> = drained.take(all + 1).collect();
        ensure(items.len() == all, "values were lost or doubled", items.len(), all)?;
        let pops = parts.iter().map(|part| part.pops).sum::<u64>();
        let found = items.iter().map(|item| item.pops).sum::<u64>();
        ensure(pops == found, "changes of values were lost", pops, found)
    }
}
