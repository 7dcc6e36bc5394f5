//! Lists of nodes, under signals, migration, drains and threads without sections.

mod affinity;
mod skipped;
mod stress;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rseq_core::percpu::{List, Node, Nodes, RemoteError};
use rseq_core::sys::{Commands, membarrier_query};
use rseq_core::{ByMmCid, Index, Status, status};
use skipped::skipped;
use stress::Random;

const THREADS: usize = 8;
const UNREGISTERED: usize = 2;
const TIMES: usize = 2_000;
const NODES: usize = 8;

static BY_CPU: List<usize> = List::new();
static BY_MM_CID: List<usize, ByMmCid> = List::new();
static HANDLED: AtomicUsize = AtomicUsize::new(0);

/// A handler changes the order of the first two nodes.
fn handle<K: Index>(list: &List<'static, usize, K>) {
    if let Some(first) = list.pop() {
        HANDLED.fetch_add(1, Relaxed);
        let second = list.pop();
        list.push(first);
        second.into_iter().for_each(|node| list.push(node));
    }
}

extern "C" fn handler(_: i32) {
    handle(&BY_CPU);
    handle(&BY_MM_CID);
}

fn has_fence() -> bool {
    membarrier_query().is_ok_and(Commands::has_rseq)
}

fn leaked(number: usize) -> &'static mut Node<usize> {
    Box::leak(Box::new(Node::new(number)))
}

/// Each thread pushes nodes, takes any by every way there is, and pushes them again. All are found once.
fn stress<K: Index>(list: &List<'static, usize, K>, drain_cpu: impl Fn(u32) -> Nodes<'static, usize> + Sync) {
    if !has_fence() {
        return skipped("no fence: nodes of other CPUs cannot be counted");
    }
    let (cpus, drained) = (affinity::allowed(), AtomicUsize::new(0));
    let push = |node| {
        list.push(node);
        1
    };
    stress::storm(THREADS, UNREGISTERED, handler, |number| {
        let mut random = Random(number as u64);
        (0..NODES).for_each(|node| list.push(leaked(number * NODES + node)));
        for _ in 0..TIMES {
            match random.below(64) {
                0 => affinity::pin(cpus[random.below(cpus.len())]),
                1 => all(list.pop_all()).for_each(|node| list.push(node)),
                2 | 3 => {
                    let count: usize = all(drain_cpu(cpus[random.below(cpus.len())])).map(push).sum();
                    drained.fetch_add(count, Relaxed);
                }
                4 if number == 0 => list.drain().for_each(|nodes| all(nodes.unwrap()).for_each(|node| list.push(node))),
                _ => (0..16).for_each(|_| list.pop().into_iter().for_each(|node| list.push(node))),
            }
        }
    });
    let mut found: Vec<_> = all(list.drain().flat_map(Result::unwrap)).map(|node| *node.get_mut()).collect();
    found.sort_unstable();
    assert!(found.iter().copied().eq(0..THREADS * NODES), "not each node exactly once: {found:?}");
    assert!(drained.into_inner() > 0 || matches!(status(), Status::Off(_)));
}

/// Nodes that are linked in a circle do not end.
fn all<'a>(nodes: impl Iterator<Item = &'a mut Node<usize>>) -> impl Iterator<Item = &'a mut Node<usize>> {
    nodes.enumerate().map(|(count, node)| {
        assert!(count < THREADS * NODES, "a node is in a list twice");
        node
    })
}

#[test]
fn every_node_is_found_once() {
    stress(&BY_CPU, |cpu| match BY_CPU.drain_cpu(cpu) {
        Ok(nodes) => nodes,
        Err(RemoteError::NoSlot(_)) => BY_CPU.pop_all(),
        Err(error) => panic!("{error}"),
    });
    stress(&BY_MM_CID, |_| BY_MM_CID.drain().next().unwrap().unwrap());
    assert!(HANDLED.load(Relaxed) > 0);
}

#[test]
fn the_last_node_is_the_first() {
    let (mut nodes, cpus) = ([1, 2, 3, 4].map(Node::new), affinity::allowed());
    let list: List<u32> = List::new();
    affinity::pin(cpus[0]);
    nodes.iter_mut().for_each(|node| list.push(node));
    let mut numbers = vec![*list.pop().unwrap().get_mut()];
    numbers.extend(list.pop_all().map(|node| *node.get_mut()));
    assert_eq!(numbers, [4, 3, 2, 1]);
    assert!(list.pop().is_none() && list.pop_all().next().is_none());
}

#[test]
fn another_cpu_is_drained() {
    let cpus = affinity::allowed();
    let ([first, .., last], true, Status::On(_)) = (&cpus[..], has_fence(), status()) else {
        return skipped("one CPU, no fence, or rseq is off");
    };
    let (mut one, mut two) = (Node::new(1), Node::new(2));
    let list: List<u32> = List::new();
    affinity::pin(*first);
    list.push(&mut one);
    list.push(&mut two);
    affinity::pin(*last);
    assert!(list.pop().is_none());
    assert!(list.drain_cpu(*last).unwrap().next().is_none());
    assert!(list.drain_cpu(*first).unwrap().map(|node| *node.get_mut()).eq([2, 1]));
    assert!(list.drain_cpu(*first).unwrap().next().is_none());
    assert_eq!(list.drain_cpu(u32::MAX).map(|_| ()), Err(RemoteError::NoSlot(u32::MAX)));
}

#[test]
fn nodes_of_threads_without_sections_are_found() {
    let mut node = Node::new(7);
    let list: List<u32> = List::new();
    std::thread::scope(|scope| {
        let (list, node) = (&list, &mut node);
        scope.spawn(move || {
            stress::unregister();
            list.push(node);
            let node = list.pop_all().next().unwrap();
            list.push(node);
        });
    });
    assert_eq!(list.pop().map(|node| *node.get_mut()), Some(7));
}

#[test]
fn the_last_node_of_threads_without_sections_is_the_first() {
    let mut nodes = [1, 2, 3, 4].map(Node::new);
    let list: List<u32> = List::new();
    std::thread::scope(|scope| {
        let (list, nodes) = (&list, &mut nodes);
        scope.spawn(move || {
            stress::unregister();
            nodes.iter_mut().for_each(|node| list.push(node));
            assert!(list.pop().map(|node| *node.get_mut()) == Some(4), "another one is popped");
            let numbers: Vec<_> = list.pop_all().map(|node| *node.get_mut()).collect();
            assert_eq!(numbers, [3, 2, 1]);
        });
    });
}
