//! What a child of `fork` finds of locks that threads of its parent held, or were taking remotely.

extern crate std;

use super::*;
use crate::affinity::{allowed, pin};
use crate::percpu::fence::fence_index;
use crate::percpu::test_machine::can_drain;
use crate::skipped::skipped;
use crate::sys::{MembarrierError, in_limited_child};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

fn new() -> Lock<u32> {
    Lock::new(|| 7)
}

fn is(guard: Option<LockGuard<'_, u32>>, cpu: u32) -> bool {
    guard.is_some_and(|guard| *guard == 7 && guard.index() == Some(cpu))
}

#[test]
fn a_child_takes_a_lock_that_was_being_closed() {
    let cpu = allowed()[0];
    pin(cpu);
    let lock = new();
    if !can_drain() {
        return;
    }
    let slot = lock.copies.get(cpu).unwrap();
    let uses: [(&str, &dyn Fn(usize) -> bool); 5] = [
        ("try_lock", &|_| is(lock.try_lock(), cpu)),
        ("lock", &|_| is(Some(lock.lock()), cpu)),
        ("lock_cpu", &|_| is(lock.lock_cpu(cpu).ok(), cpu)),
        ("lock_cpu of another CPU", &|_| {
            drop(lock.lock_cpu(cpu ^ 1));
            is(lock.try_lock(), cpu)
        }),
        ("iter", &|state| {
            let values = lock.iter().filter(|guard| guard.is_ok()).count();
            values == usize::from(state == FREE) && is(lock.try_lock(), cpu)
        }),
    ];
    for state in [UNUSED, FREE] {
        for (name, work) in uses {
            let mut child = None;
            let closed = lock.closing.with(&lock.copies, || {
                slot.close(|| {
                    assert!(![UNUSED, FREE, TAKEN].contains(&slot.word.load(Ordering::Relaxed)));
                    child = Some(in_limited_child(|| u8::from(work(state))));
                    Err(MembarrierError::NoCommand)
                })
            });
            let expected = (Err(MembarrierError::NoCommand), Some(Ok(Some(1))));
            assert_eq!((closed, child), expected, "{name} of a lock in state {state}");
            assert_eq!(slot.word.load(Ordering::Relaxed), state);
        }
        assert!(is(lock.try_lock(), cpu), "the parent's");
    }
}

#[test]
fn a_child_does_not_take_a_lock_that_was_held() {
    let cpu = allowed()[0];
    pin(cpu);
    let lock = new();
    if !can_drain() {
        return;
    }
    let guard = lock.lock_cpu(cpu).unwrap();
    let other = lock.copies.get(cpu ^ 1).unwrap_or(&lock.fallback);
    let mut child = None;
    let closed = lock.closing.with(&lock.copies, || {
        other.close(|| {
            // Twice: the first one opens what was being closed.
            child = Some(in_limited_child(|| u8::from([(); 2].map(|()| lock.try_lock().is_none()) == [true; 2])));
            Err(MembarrierError::NoCommand)
        })
    });
    assert_eq!((closed, child), (Err(MembarrierError::NoCommand), Some(Ok(Some(1)))));
    drop(guard);
    assert!(is(lock.try_lock(), cpu));
}

/// Children that are forked while another thread takes the lock remotely, again and again.
#[test]
fn children_find_locks_that_are_being_closed() {
    const TAKEN_BEFORE: u8 = 2;
    const FREE_BEFORE: u8 = 3;
    let cpus = allowed();
    let (lock, done) = (new(), AtomicBool::new(false));
    if !can_drain() {
        return;
    }
    pin(cpus[0]);
    drop(lock.lock());
    let slot = lock.copies.get(cpus[0]).unwrap();
    let closing = thread::scope(|scope| {
        scope.spawn(|| {
            pin(cpus[cpus.len() - 1]);
            while !done.load(Ordering::Relaxed) {
                // The end of `lock_cpu`, without its value: held for as short a time as possible.
                let closed = lock.closing.with(&lock.copies, || slot.close(|| fence_index::<ByCpu>(cpus[0])));
                if closed.is_ok_and(|state| state.is_some()) {
                    slot.word.store(FREE, Ordering::Release);
                }
            }
        });
        let (begun, mut closing, mut failed) = (Instant::now(), 0, None);
        while failed.is_none() && closing < 20 && begun.elapsed() < Duration::from_secs(5) {
            let child = in_limited_child(|| match slot.word.load(Ordering::Relaxed) {
                TAKEN => TAKEN_BEFORE,
                FREE => FREE_BEFORE,
                _ => u8::from(is(Some(lock.lock()), cpus[0])),
            });
            closing += usize::from(child == Ok(Some(1)));
            failed =
                Some(child).filter(|child| ![1, TAKEN_BEFORE, FREE_BEFORE].map(|code| Ok(Some(code))).contains(child));
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(failed, None, "after {closing} children that found it closed");
        closing
    });
    if closing == 0 {
        skipped("no child was forked while a lock was being closed");
    }
}
