//! Stacks for each CPU, against a sequential model of them.

use proptest::prelude::*;
use rseq_core::percpu::{Batch, Full, RemoteError, Stack, Stacks, Word};
use rseq_core::{ByMmCid, Status, status};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

mod affinity;
mod skipped;
mod stress;

use skipped::skipped;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Push,
    Pop,
    PushBatch(usize),
    PopBatch,
    Drain(usize),
    Resize(usize, usize),
    Move(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => Just(Operation::Push),
        3 => Just(Operation::Pop),
        2 => (0..=8usize).prop_map(Operation::PushBatch),
        2 => Just(Operation::PopBatch),
        1 => (0..2usize).prop_map(Operation::Drain),
        1 => (0..2usize, 0..=CAPACITY).prop_map(|(cpu, capacity)| Operation::Resize(cpu, capacity)),
        1 => (0..2usize).prop_map(Operation::Move),
    ]
}

const CAPACITY: usize = 12;

/// What the array of a CPU should be.
#[derive(Default)]
struct Model {
    items: Vec<usize>,
    /// Fewer than the most.
    less: usize,
}

impl Model {
    fn room(&self) -> usize {
        (CAPACITY - self.less).saturating_sub(self.items.len())
    }
}

fn check(operations: &[Operation], cpus: &[u32]) {
    let stack = Stack::<usize, CAPACITY>::new();
    let mut models = [Model::default(), Model::default()];
    let (mut here, mut next) = (0, 0);
    affinity::pin(cpus[here]);
    for &operation in operations {
        let model = &mut models[here];
        match operation {
            Operation::Move(to) => {
                here = to;
                affinity::pin(cpus[here]);
            }
            Operation::Push => {
                next += 1;
                let has_room = model.room() > 0;
                assert_eq!(stack.push(next), if has_room { Ok(()) } else { Err(Full(next)) });
                model.items.extend(has_room.then_some(next));
            }
            Operation::Pop => assert_eq!(stack.pop(), model.items.pop()),
            Operation::PushBatch(count) => {
                let mut batch = Batch::<usize, 8>::new();
                (0..count).for_each(|item| batch.push(next + 1 + item).unwrap());
                let pushed = stack.push_batch(&mut batch);
                assert_eq!((pushed, batch.len()), (count.min(model.room()), count - pushed));
                model.items.extend(next + 1..=next + pushed);
                assert_eq!(batch.pop(), (pushed < count).then_some(next + count));
                next += count;
            }
            Operation::PopBatch => {
                let mut batch = Batch::<usize, 5>::new();
                assert_eq!(stack.pop_batch(&mut batch), model.items.len().min(5));
                let mut popped: Vec<_> = std::iter::from_fn(|| batch.pop()).collect();
                popped.reverse();
                assert_eq!(popped, model.items.split_off(model.items.len() - popped.len()));
            }
            Operation::Drain(which) => {
                let mut drained = Vec::new();
                assert_eq!(stack.drain(cpus[which], |item| drained.push(item)), Ok(models[which].items.len()));
                drained.reverse();
                assert_eq!(drained, std::mem::take(&mut models[which].items));
            }
            Operation::Resize(which, capacity) => {
                let (mut drained, model) = (Vec::new(), &mut models[which]);
                let before = CAPACITY - model.less;
                let left = if capacity < before { capacity.min(model.items.len()) } else { model.items.len() };
                let count = model.items.len() - left;
                assert_eq!(stack.resize(cpus[which], capacity, |item| drained.push(item)), Ok(count));
                drained.reverse();
                assert_eq!(drained, model.items.split_off(left));
                model.less = CAPACITY - capacity;
                assert_eq!(stack.capacity_of(cpus[which]), capacity);
            }
        }
        for (cpu, model) in cpus.iter().zip(&models) {
            assert_eq!(stack.len_of(*cpu), model.items.len(), "after {operation:?}");
        }
    }
    assert_eq!(stack.len(), models[0].items.len() + models[1].items.len());
}

/// The CPUs of the model: two where there are two.
fn cpus() -> Option<[u32; 2]> {
    let Status::On(_) = status() else {
        skipped(format!("the model is of arrays of CPUs: {}", status()));
        return None;
    };
    let allowed = affinity::allowed();
    Some([allowed[0], *allowed.last()?])
}

#[test]
fn does_what_its_model_does() {
    let Some(cpus) = cpus() else { return };
    if cpus[0] == cpus[1] {
        return skipped("with one CPU, no array is another CPU's");
    }
    if let Err(RemoteError::NoFence(_)) = Stack::<usize, 1>::new().drain(0, drop) {
        return skipped("the kernel has no fence");
    }
    proptest!(ProptestConfig::with_cases(80), |(operations in prop::collection::vec(operation(), 1..200))| {
        check(&operations, &cpus);
    });
}

#[test]
fn classes_are_apart() {
    static STACKS: Stacks<usize, 3, 13> = Stacks::new([7, 1, 5]);
    if cpus().is_none() {
        return;
    }
    affinity::pin(affinity::allowed()[0]);
    let cpu = affinity::allowed()[0];
    let capacities = [7, 1, 5];
    for (class, capacity) in capacities.into_iter().enumerate() {
        let mut batch = Batch::<usize, 16>::new();
        (0..16).for_each(|item| batch.push(100 * class + item).unwrap());
        assert_eq!(STACKS.push_batch(class, &mut batch), capacity);
        assert_eq!(STACKS.push(class, 1), Err(Full(1)));
        assert_eq!(
            (STACKS.len(class), STACKS.len_of(class, cpu), STACKS.capacity_of(class, cpu)),
            (capacity, capacity, capacity)
        );
    }
    for (class, capacity) in capacities.into_iter().enumerate() {
        for item in (0..capacity).rev() {
            assert_eq!(STACKS.pop(class), Some(100 * class + item));
        }
        assert_eq!(STACKS.pop(class), None);
    }
    assert_eq!((STACKS.push(3, 7), STACKS.pop(3), STACKS.drain(3, 0, drop)), (Err(Full(7)), None, Ok(0)));
    assert_eq!(STACKS.resize(1, cpu, 2, drop), Err(RemoteError::TooLarge));
}

#[test]
fn batches_of_threads_without_sections_are_in_order() {
    let stack = Stack::<usize, 8>::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            stress::unregister();
            (1..=6).for_each(|item| stack.push(item).unwrap());
            let mut batch = Batch::<usize, 4>::new();
            batch.push(7).unwrap();
            assert_eq!((stack.pop_batch(&mut batch), stack.len()), (3, 3));
            let popped: Vec<_> = std::iter::from_fn(|| batch.pop()).collect();
            assert_eq!(popped, [6, 5, 4, 7]);
            assert_eq!((stack.pop_batch(&mut batch), stack.pop()), (3, None));
        });
    });
}

/// Counts how many there are.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

// SAFETY: the word is the address of a box of the value, which `into_raw` gives up and `from_raw` takes; `Counted` is
// `Send`.
unsafe impl Word for Counted<'_> {
    fn into_word(self) -> usize {
        Box::into_raw(Box::new(self)).expose_provenance()
    }

    unsafe fn from_word(word: usize) -> Self {
        // SAFETY: `word` is of `into_word`, and is used once.
        *unsafe { Box::from_raw(std::ptr::with_exposed_provenance_mut(word)) }
    }
}

#[test]
fn items_that_are_left_are_dropped() {
    let count = AtomicUsize::new(0);
    let stack = Stack::<Counted<'_>, 4>::new();
    let by_mm_cid = Stack::<Counted<'_>, 4, ByMmCid>::new();
    let mut batch = Batch::<_, 2>::new();
    for cpu in affinity::allowed() {
        affinity::pin(cpu);
        for _ in 0..10 {
            let _ = stack.push(Counted::new(&count));
            let _ = by_mm_cid.push(Counted::new(&count));
        }
    }
    let _ = (batch.push(Counted::new(&count)), batch.push(Counted::new(&count)), batch.push(Counted::new(&count)));
    assert_eq!(count.load(Relaxed), stack.len() + by_mm_cid.len() + 2);
    drop((stack, by_mm_cid, batch));
    assert_eq!(count.load(Relaxed), 0);
}

/// What a drain gives away may be pushed by the same thread, on the same stack.
#[test]
fn a_drain_may_push() {
    let stack = Stack::<usize, 8>::new();
    let cpu = affinity::allowed()[0];
    affinity::pin(cpu);
    (0..8).for_each(|item| stack.push(item).unwrap());
    let mut pushed = 0;
    let drained = stack.drain(cpu, |item| {
        let again = if stack.len_of(cpu) > 0 { Err(RemoteError::Busy) } else { Ok(0) };
        assert_eq!(stack.drain(cpu, drop), again);
        assert!(stack.push(item).is_ok());
        pushed += 1;
    });
    let Ok(drained) = drained else { return skipped(format!("{drained:?}")) };
    // They are in the shared array, which threads look into when they have nothing.
    assert_eq!((drained, stack.len_of(cpu), stack.len()), (pushed, 0, 8));
    let mut items: Vec<_> = std::iter::from_fn(|| stack.pop()).collect();
    items.sort_unstable();
    assert_eq!(items, (0..8).collect::<Vec<_>>());
}

#[test]
fn a_panic_in_a_drain_loses_nothing_else() {
    let stack = Stack::<usize, 8>::new();
    let cpu = affinity::allowed()[0];
    affinity::pin(cpu);
    (0..8).for_each(|item| stack.push(item).unwrap());
    let drained = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        stack.drain(cpu, |item| assert!(item > 4, "a panic that this test wants"))
    }));
    if let Ok(Err(error)) = drained {
        return skipped(error);
    }
    if drained.is_err() {
        assert_eq!(std::iter::from_fn(|| stack.pop()).collect::<Vec<_>>(), [3, 2, 1, 0]);
    }
}
