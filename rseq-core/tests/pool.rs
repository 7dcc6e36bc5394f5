//! The pool, under signals, migration and threads without sections, and against a sequential model.

mod affinity;
mod skipped;
mod stress;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use proptest::prelude::*;
use rseq_core::percpu::{Node, Pool, PoolItem};
use rseq_core::sys::{Commands, membarrier_query};
use rseq_core::{ByCpu, ByMmCid, Index, Status, status};
use skipped::skipped;
use stress::Random;

const THREADS: usize = 8;
const UNREGISTERED: usize = 2;
const TIMES: usize = 20_000;
const NODES: usize = 100;

/// The number of the thread that has the value, or 0. Atomic, so that two holders are found and not undefined.
#[derive(Debug)]
struct Owned {
    number: usize,
    owner: AtomicUsize,
}

impl Owned {
    fn take(&self, owner: usize) {
        assert_eq!(self.owner.swap(owner, Relaxed), 0, "two holders of {}", self.number);
    }

    fn give(&self, owner: usize) {
        assert_eq!(self.owner.swap(0, Relaxed), owner, "two holders of {}", self.number);
    }
}

fn nodes(count: usize) -> &'static mut [Node<Owned>] {
    (0..count).map(|number| Node::new(Owned { number, owner: AtomicUsize::new(0) })).collect::<Vec<_>>().leak()
}

static BY_CPU: Pool<Owned> = Pool::with_limit(8);
static BY_MM_CID: Pool<Owned, ByMmCid> = Pool::with_limit(8);
static POPPED_IN_HANDLER: AtomicUsize = AtomicUsize::new(0);

fn handle<K: Index>(pool: &Pool<'_, Owned, K>) {
    if let Some(item) = pool.pop() {
        item.take(usize::MAX);
        item.give(usize::MAX);
        POPPED_IN_HANDLER.fetch_add(1, Relaxed);
    }
}

extern "C" fn handler(_: i32) {
    handle(&BY_CPU);
    handle(&BY_MM_CID);
}

fn has_fence() -> bool {
    membarrier_query().is_ok_and(Commands::has_rseq)
}

/// Pops and pushes, moves, and reclaims.
fn stress<K: Index>(pool: &Pool<'static, Owned, K>) {
    let (cpus, reclaimed) = (affinity::allowed(), AtomicUsize::new(0));
    pool.add(nodes(NODES / 2));
    stress::storm(THREADS, UNREGISTERED, handler, |number| {
        let (mut random, mut held) = (Random(number as u64), Vec::new());
        for time in 0..TIMES {
            match random.below(512) {
                0..4 => affinity::pin(cpus[random.below(cpus.len())]),
                4 if has_fence() => {
                    reclaimed.fetch_add(pool.reclaim().unwrap(), Relaxed);
                }
                _ => {}
            }
            if number == 0 && time == TIMES / 2 {
                pool.add(nodes(NODES / 2));
            }
            if random.below(16) < 8 {
                held.extend(pool.pop().inspect(|item| item.take(number + 1)));
            } else if let Some(item) = held.pop() {
                item.give(number + 1);
                drop::<PoolItem<'_, _, _>>(item);
            }
        }
        held.iter().for_each(|item| item.give(number + 1));
    });
    assert_eq!(pool.len(), NODES);
    let items: Vec<_> = all(pool);
    let mut numbers: Vec<_> = items.iter().map(|item| item.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..NODES).map(|node| node / 2).collect::<Vec<_>>(), "each node exactly once");
    assert!(pool.is_empty() && pool.pop().is_none());
    assert!(reclaimed.into_inner() > 0 || !has_fence() || matches!(status(), Status::Off(_)));
}

/// All values of a pool that is only used here.
fn all<'p, K: Index>(pool: &'p Pool<'_, Owned, K>) -> Vec<PoolItem<'p, Owned, K>> {
    if has_fence() {
        return pool.drain().unwrap().collect();
    }
    let pop_on = |cpu| {
        affinity::pin(cpu);
        std::iter::from_fn(|| pool.pop())
    };
    affinity::allowed().into_iter().flat_map(pop_on).collect()
}

#[test]
fn every_node_is_in_one_place() {
    stress(&BY_CPU);
    stress(&BY_MM_CID);
    assert!(POPPED_IN_HANDLER.load(Relaxed) > 0);
}

#[test]
fn a_value_goes_from_one_cpu_to_another() {
    let cpus = affinity::allowed();
    let [first, .., last] = cpus[..] else { return skipped("one CPU only") };
    let pool: Pool<Owned> = Pool::with_limit(8);
    pool.add(nodes(NODES));
    affinity::pin(first);
    let items: Vec<_> = std::iter::from_fn(|| pool.pop()).collect();
    assert_eq!((items.len(), pool.len()), (NODES, 0));
    drop(items);
    affinity::pin(last);
    let items: Vec<_> = std::iter::from_fn(|| pool.pop()).collect();
    assert!((NODES - 8..=NODES).contains(&items.len()), "{} were found", items.len());
    assert_eq!(pool.len(), NODES - items.len());
    if has_fence() {
        assert_eq!(pool.reclaim(), Ok(NODES - items.len()));
        let others: Vec<_> = std::iter::from_fn(|| pool.pop()).collect();
        assert_eq!(others.len(), NODES - items.len());
    }
}

#[test]
fn a_drain_takes_what_every_cpu_keeps() {
    if !has_fence() {
        return skipped("the kernel has no fence");
    }
    let pool: Pool<Owned> = Pool::with_limit(8);
    pool.add(nodes(NODES));
    for cpu in affinity::allowed() {
        affinity::pin(cpu);
        drop(pool.pop());
    }
    let mut drained = pool.drain().unwrap();
    let held: Vec<_> = drained.by_ref().take(10).collect();
    assert_eq!((held.len(), pool.len()), (10, 0));
    drop(drained);
    assert_eq!(pool.len(), NODES - 10);
    drop(held);
    assert_eq!(pool.drain().unwrap().collect::<Vec<_>>().len(), NODES);
    assert_eq!(pool.len(), NODES);
}

#[test]
fn values_are_those_of_the_caller_again() {
    let mut nodes = [const { Node::new(String::new()) }; 3];
    affinity::pin(affinity::allowed()[0]);
    {
        let pool: Pool<String> = Pool::new();
        pool.add(&mut nodes);
        let mut items: Vec<_> = std::iter::from_fn(|| pool.pop()).collect();
        items.iter_mut().for_each(|item| item.push('x'));
    }
    assert!(nodes.map(Node::into_inner).iter().all(|value| value == "x"));
}

#[test]
fn threads_without_sections_use_the_shared_list() {
    let pool: Pool<Owned> = Pool::new();
    pool.add(nodes(4));
    let is_run = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            stress::unregister();
            let items: Vec<_> = std::iter::from_fn(|| pool.pop()).collect();
            is_run.store(items.len() == 4, Relaxed);
        });
    });
    assert!(is_run.into_inner());
    assert_eq!(pool.len(), 4);
    assert!(!has_fence() || pool.reclaim() == Ok(0), "no CPU has one");
}

#[derive(Clone, Debug)]
enum Operation {
    Pop,
    Push(usize),
    Move(usize),
    Reclaim,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => Just(Operation::Pop),
        8 => any::<usize>().prop_map(Operation::Push),
        2 => any::<usize>().prop_map(Operation::Move),
        1 => Just(Operation::Reclaim),
    ]
}

/// What a pool does in one thread: a list for each CPU, and a shared one, whose last values are popped first.
struct Model {
    lists: Vec<Vec<usize>>,
    shared: Vec<usize>,
    limit: usize,
}

impl Model {
    fn new(limit: usize, nodes: usize, cpus: usize) -> Self {
        Self { lists: vec![Vec::new(); cpus], shared: (0..nodes).rev().collect(), limit }
    }

    fn batch(&self) -> usize {
        self.limit.div_ceil(2)
    }

    fn pop(&mut self, cpu: usize) -> Option<usize> {
        if let Some(node) = self.lists[cpu].pop() {
            return Some(node);
        }
        let from = self.shared.len().saturating_sub(self.batch().max(1));
        let mut taken = self.shared.split_off(from).into_iter().rev();
        let first = taken.next();
        self.lists[cpu].extend(taken);
        first
    }

    fn push(&mut self, cpu: usize, node: usize) {
        let batch = self.batch();
        let list = &mut self.lists[cpu];
        if list.len() < self.limit {
            return list.push(node);
        }
        self.shared.extend(list.split_off(list.len() - batch));
        self.shared.push(node);
    }

    fn reclaim(&mut self) -> usize {
        let before = self.shared.len();
        self.lists.iter_mut().for_each(|list| self.shared.extend(list.drain(..).rev()));
        self.shared.len() - before
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn does_what_the_model_does(
        limit in 0..10usize, count in 0..40usize, operations in prop::collection::vec(operation(), 0..300)
    ) {
        let Status::On(_) = status() else {
            skipped("rseq is off: no CPU has a list");
            return Ok(());
        };
        let (cpus, mut cpu) = (affinity::allowed(), 0);
        let (pool, mut model) = (Pool::<Owned, ByCpu>::with_limit(limit), Model::new(limit, count, cpus.len()));
        pool.add(nodes(count));
        affinity::pin(cpus[cpu]);
        let mut held = Vec::new();
        for operation in operations {
            match operation {
                Operation::Pop => {
                    let item = pool.pop();
                    prop_assert_eq!(item.as_ref().map(|item| item.number), model.pop(cpu));
                    held.extend(item);
                }
                Operation::Push(which) if !held.is_empty() => {
                    let item = held.swap_remove(which % held.len());
                    model.push(cpu, item.number);
                    drop(item);
                }
                Operation::Push(_) => {}
                Operation::Move(which) => {
                    cpu = which % cpus.len();
                    affinity::pin(cpus[cpu]);
                }
                Operation::Reclaim if has_fence() => prop_assert_eq!(pool.reclaim(), Ok(model.reclaim())),
                Operation::Reclaim => {}
            }
            prop_assert_eq!(pool.len(), count - held.len());
        }
    }
}
