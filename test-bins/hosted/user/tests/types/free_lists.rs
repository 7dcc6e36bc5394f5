//! What a thread puts somewhere for any other to take.

use crate::{THREADS, in_threads};
use rseq_core::ByMmCid;
use rseq_core::percpu::{Batch, List, Node, Pool, RemoteError, Stack, Stacks};
use std::thread;

#[test]
fn stacks() {
    static FREE: Stack<usize, 60> = Stack::new();
    static CLASSES: Stacks<usize, 2, 90, ByMmCid> = Stacks::new([60, 30]);
    in_threads(|number| {
        FREE.push(number).unwrap();
        CLASSES.push(1, number).unwrap();
        let mut batch = Batch::<_, 4>::new();
        assert!(batch.push(THREADS).is_ok() && batch.push(THREADS).is_ok());
        assert_eq!(CLASSES.push_batch(0, &mut batch), 2);
    });
    let mut found = Vec::new();
    match FREE.drain_all(|item| found.push(item)) {
        Ok(count) => assert_eq!(count, THREADS),
        Err(RemoteError::NoFence(_)) => return println!("skipped: no fence"),
        Err(error) => panic!("{error}"),
    }
    found.sort_unstable();
    assert!(found.into_iter().eq(0..THREADS) && FREE.is_empty());
    assert_eq!((CLASSES.len(0), CLASSES.len(1), CLASSES.pop(2)), (2 * THREADS, THREADS, None));
    assert_eq!(CLASSES.drain_all(0, drop), Ok(2 * THREADS));
    match FREE.resize(0, 7, drop) {
        Ok(_) => assert_eq!(FREE.capacity_of(0), 7),
        Err(error) => assert!(matches!(error, RemoteError::NoSlot(_)), "{error}"),
    }
}

#[test]
fn a_pool() {
    static BUFFERS: Pool<Vec<u8>> = Pool::new();
    BUFFERS.add((0..THREADS).map(|_| Node::new(Vec::new())).collect::<Vec<_>>().leak());
    in_threads(|number| {
        // A value may be among the last of another CPU.
        while let Err(()) = BUFFERS.pop().map(|mut buffer| buffer.push(number as u8)).ok_or(()) {
            BUFFERS.reclaim().unwrap();
        }
    });
    assert_eq!(BUFFERS.len(), THREADS);
    assert_eq!(BUFFERS.drain().unwrap().map(|buffer| buffer.len()).sum::<usize>(), THREADS);
}

#[test]
fn lists() {
    let mut nodes: Vec<_> = (0..THREADS).map(Node::new).collect();
    let list: List<usize> = List::new();
    thread::scope(|scope| {
        for node in &mut nodes {
            scope.spawn(|| list.push(node));
        }
    });
    let first = list.pop().map(|node| *node.get_mut());
    let here = list.pop_all().map(|node| *node.get_mut()).collect::<Vec<_>>();
    let elsewhere = list.drain().flat_map(Result::unwrap).map(|node| *node.get_mut());
    let mut all: Vec<_> = elsewhere.chain(first).chain(here).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..THREADS));
}
