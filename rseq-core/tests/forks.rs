//! Children that are forked while another thread drains the slots of per-CPU types: the types work in the child, which
//! does not have that thread.
#![cfg(target_os = "linux")]

mod affinity;
mod skipped;

use rseq_core::percpu::{List, Node, Pool, Stack};
use rseq_core::{Status, status, sys};
use skipped::skipped;
use std::ffi::{c_int, c_ulong};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test forks, at most.
const TIME: Duration = Duration::from_secs(2);

const CHILDREN: usize = 400;
/// So few that a drain is mostly its fence.
const NODES: usize = 4;

unsafe extern "C" {
    safe fn fork() -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn setrlimit(resource: c_int, limits: *const [c_ulong; 2]) -> c_int;
    safe fn _exit(code: c_int) -> !;
}

/// The wait status of a child that runs `work`: 0 if that returns true. The child may have one second of CPU time, and
/// must not allocate.
fn child(work: impl FnOnce() -> bool) -> c_int {
    const RLIMIT_CPU: c_int = 0;
    let child = fork();
    if child == 0 {
        // SAFETY: reads two words. The hard limit is SIGKILL, which no drain blocks.
        let is_limited = unsafe { setrlimit(RLIMIT_CPU, &[1, 1]) } == 0;
        _exit(if is_limited && work() { 0 } else { 1 });
    }
    assert!(child > 0, "fork: {}", std::io::Error::last_os_error());
    let mut status = -1;
    // SAFETY: a child of this process, and a place for its status.
    assert_eq!(unsafe { waitpid(child, &mut status, 0) }, child);
    status
}

/// Forks children that run `work`, on one CPU, while a thread on another one runs `drain` all the time.
fn forks(drain: impl Fn() + Sync, work: impl Fn(u32) -> bool) {
    let has_fence = sys::membarrier_query().is_ok_and(sys::Commands::has_rseq);
    let (Status::On(_), true) = (status(), has_fence) else {
        return skipped(format_args!("{}; the fence: {has_fence}", status()));
    };
    let (cpus, rounds, done) = (affinity::allowed(), AtomicUsize::new(0), AtomicBool::new(false));
    let drains_on = cpus[cpus.len() - 1];
    affinity::pin(cpus[0]);
    let (children, status) = thread::scope(|scope| {
        scope.spawn(|| {
            affinity::pin(drains_on);
            while !done.load(Relaxed) {
                drain();
                rounds.fetch_add(1, Relaxed);
            }
        });
        while rounds.load(Relaxed) == 0 {
            thread::yield_now();
        }
        let (begun, mut children, mut status) = (Instant::now(), 0, 0);
        while status == 0 && children < CHILDREN && begun.elapsed() < TIME {
            status = child(|| work(drains_on));
            children += 1;
        }
        done.store(true, Relaxed);
        (children, status)
    });
    assert_eq!(status, 0, "the wait status of child {children}: 9 is a hang");
}

/// Whether each of these was seen at most once, and there are no others.
fn are_distinct(mut values: impl Iterator<Item = usize>) -> bool {
    let mut seen = [false; NODES];
    values.all(|value| seen.get_mut(value).is_some_and(|seen| !core::mem::replace(seen, true)))
}

/// Takes all nodes, and pushes them on the list of this CPU.
fn refill(list: &List<'_, usize>) {
    for nodes in list.drain() {
        nodes.expect("a fence").for_each(|node| list.push(node));
    }
}

#[test]
fn a_child_drains_a_list_that_was_being_drained() {
    let mut nodes: [_; NODES] = core::array::from_fn(Node::new);
    let list: List<'_, usize> = List::new();
    nodes.iter_mut().for_each(|node| list.push(node));
    forks(|| refill(&list), |_| are_distinct(list.drain().flatten().flatten().map(|node| *node.get_mut())));
}

#[test]
fn a_child_reclaims_a_pool_that_was_being_reclaimed() {
    let mut nodes: [_; NODES] = core::array::from_fn(Node::new);
    let pool: Pool<'_, usize> = Pool::new();
    pool.add(&mut nodes);
    let drain = || {
        drop(pool.pop()); // which moves others to this CPU's list
        pool.reclaim().unwrap();
    };
    forks(drain, |_| pool.reclaim().is_ok() && are_distinct(pool.drain().into_iter().flatten().map(|value| *value)));
}

#[test]
fn a_child_drains_a_stack_that_was_being_drained() {
    let stack = Stack::<usize, NODES>::new();
    let drain = || {
        for value in 0..NODES {
            let _ = stack.push(value);
        }
        stack.drain_all(|_| ()).unwrap();
    };
    forks(drain, |cpu| {
        affinity::pin(cpu);
        // What can be popped can be pushed, and the reverse.
        let popped = stack.pop();
        let is_back = popped.is_none_or(|value| stack.push(value).is_ok());
        let mut seen = [0; NODES];
        let drained = stack.drain_all(|value| seen[value] += 1);
        is_back && drained.is_ok() && seen.iter().all(|&times| times <= 1) && stack.is_empty()
    });
}
