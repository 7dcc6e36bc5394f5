//! The lock of each CPU, under signals, migration and threads without sections.

mod affinity;
mod skipped;
mod stress;

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use rseq_core::percpu::{Lock, RemoteError};
use rseq_core::{ByCpu, ByMmCid, Index, Status, status};
use skipped::skipped;
use stress::Random;

const THREADS: usize = 8;
const UNREGISTERED: usize = 2;
const TIMES: usize = 20_000;

static BY_CPU: Lock<Tally> = Lock::new(Tally::new);
static BY_MM_CID: Lock<Tally, ByMmCid> = Lock::new(Tally::new);
/// What the handlers counted.
static HANDLED: AtomicU64 = AtomicU64::new(0);

/// A count that another thread's change in the middle of one makes inexact.
struct Tally(u64, u64);

impl Tally {
    fn new() -> Self {
        Self(0, 0)
    }

    fn add(&mut self) {
        assert_eq!(self.0, self.1, "two holders");
        let count = black_box(self.0);
        self.0 = black_box(count + 1);
        (0..black_box(4)).for_each(|_| std::hint::spin_loop());
        self.1 = black_box(count + 1);
    }
}

extern "C" fn handler(_: i32) {
    if let Some(mut tally) = BY_CPU.try_lock() {
        tally.add();
        HANDLED.fetch_add(1, Relaxed);
    }
}

fn has_fence() -> bool {
    rseq_core::sys::membarrier_query().is_ok_and(rseq_core::sys::Commands::has_rseq)
}

fn sum<K: Index>(lock: &Lock<Tally, K>) -> (u64, usize) {
    let tallies: Vec<_> = lock.iter().map(|tally| tally.unwrap().0).collect();
    (tallies.iter().sum(), tallies.len())
}

#[test]
fn counts_are_exact_with_remote_lockers() {
    if !has_fence() {
        return skipped("no fence");
    }
    let (cpus, remote) = (affinity::allowed(), AtomicUsize::new(0));
    stress::storm(THREADS, UNREGISTERED, handler, |number| {
        let mut random = Random(number as u64);
        for _ in 0..TIMES {
            match random.below(64) {
                0 => affinity::pin(cpus[random.below(cpus.len())]),
                1 | 2 => match BY_CPU.lock_cpu(cpus[random.below(cpus.len())]) {
                    Ok(mut tally) => {
                        tally.add();
                        remote.fetch_add(1, Relaxed);
                        continue;
                    }
                    Err(RemoteError::NoSlot(_)) => {}
                    Err(error) => panic!("{error}"),
                },
                _ => {}
            }
            let mut tally = BY_CPU.lock();
            assert!(number < THREADS - UNREGISTERED || tally.index().is_none());
            if random.below(256) == 0 {
                affinity::pin(cpus[random.below(cpus.len())]);
            }
            tally.add();
        }
    });
    let (sum, tallies) = sum(&BY_CPU);
    assert_eq!(sum, (THREADS * TIMES) as u64 + HANDLED.load(Relaxed));
    if let Status::On(_) = status() {
        assert_eq!(tallies, cpus.len() + 1, "each CPU, and the threads without sections");
        assert!(remote.into_inner() > TIMES / 8);
    }
}

#[test]
fn counts_by_concurrency_id_are_exact() {
    if !has_fence() {
        return skipped("no fence");
    }
    let (cpus, mut visits) = (affinity::allowed(), 0);
    drop(BY_MM_CID.lock()); // one to visit
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let cpus = &cpus;
            scope.spawn(move || {
                for time in 0..TIMES {
                    if time % 256 == 0 {
                        affinity::pin(cpus[(number + time / 256) % cpus.len()]);
                    }
                    BY_MM_CID.lock().add();
                }
            });
        }
        for _ in 0..200 {
            visits += BY_MM_CID.iter().map(|tally| tally.unwrap().add()).count();
        }
    });
    assert!(visits > 0);
    assert_eq!(sum(&BY_MM_CID).0, (THREADS * TIMES + visits) as u64);
}

#[test]
fn a_lock_that_is_held_is_not_taken() {
    let lock: Lock<u64> = Lock::new(|| 7);
    affinity::pin(affinity::allowed()[0]);
    let held = lock.lock();
    assert_eq!(*held, 7);
    assert!(lock.try_lock().is_none());
    drop(held);
    *lock.try_lock().unwrap() += 1;
    assert_eq!(lock.iter().map(|value| *value.unwrap()).sum::<u64>(), 8);
}

#[test]
fn a_cpu_that_cannot_be_has_no_lock() {
    let lock: Lock<u64> = Lock::new(|| 7);
    assert_eq!(lock.lock_cpu(u32::MAX).map(|_| ()), Err(RemoteError::NoSlot(u32::MAX)));
    assert_eq!(lock.iter().count(), 0);
}

#[test]
fn values_are_dropped_once() {
    let value = Arc::new(());
    static VALUE: std::sync::OnceLock<Arc<()>> = std::sync::OnceLock::new();
    VALUE.set(value.clone()).unwrap();
    let lock: Lock<Arc<()>, ByCpu> = Lock::new(|| VALUE.get().unwrap().clone());
    for cpu in affinity::allowed() {
        affinity::pin(cpu);
        drop(lock.lock());
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            stress::unregister();
            drop(lock.lock());
        });
    });
    let made = Arc::strong_count(&value) - 2;
    assert_eq!(made, lock.iter().count());
    drop(lock);
    assert_eq!(Arc::strong_count(&value), 2);
}

#[test]
fn a_value_whose_making_panics_is_made_again() {
    static PANICS: AtomicBool = AtomicBool::new(true);
    let lock: Lock<u64> = Lock::new(|| if PANICS.swap(false, Relaxed) { panic!("for the test") } else { 3 });
    affinity::pin(affinity::allowed()[0]);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(lock.lock()))).is_err());
    assert_eq!(*lock.lock(), 3);
}

/// A value with an alignment above 64 KiB.
#[repr(align(0x2_0000))]
struct Aligned([u64; 1]);

impl AsMut<[u64]> for Aligned {
    fn as_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }
}

/// Uses the lock of each CPU, and checks that no other lock has the same memory. The values are moved on the stack.
fn lock_each_cpu<T: AsMut<[u64]> + 'static, K: Index>(init: fn() -> T) {
    let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(move || lock_each_cpu_here::<T, K>(init));
    thread.unwrap().join().unwrap();
}

fn lock_each_cpu_here<T: AsMut<[u64]>, K: Index>(init: fn() -> T) {
    let lock = Lock::<T, K>::new(init);
    let cpus = affinity::allowed();
    let mut indices = Vec::new();
    for &cpu in &cpus {
        affinity::pin(cpu);
        let mut value = lock.lock();
        let index = value.index().expect("a lock of its own");
        assert!(std::hint::black_box(std::ptr::from_mut(&mut *value)).is_aligned());
        assert!(indices.contains(&index) || value.as_mut().iter().all(|&word| word == 7));
        value.as_mut().fill(u64::from(index));
        indices.push(index);
    }
    indices.sort_unstable();
    indices.dedup();
    for mut value in lock.iter().map(Result::unwrap) {
        let index = value.index().map(u64::from).expect("no thread without sections");
        assert!(value.as_mut().iter().all(|&word| word == index));
    }
    assert_eq!(lock.iter().count(), indices.len());
}

#[test]
fn values_of_any_size_have_a_lock_for_each_cpu() {
    let (Status::On(_), true) = (status(), has_fence()) else { return skipped("no sections or no fence") };
    // From half of a page to more than three times the largest distance between the copies of two CPUs.
    lock_each_cpu::<_, ByCpu>(|| [7; 256]);
    lock_each_cpu::<_, ByCpu>(|| [7; 1024]);
    lock_each_cpu::<_, ByCpu>(|| [7; 8192]);
    lock_each_cpu::<_, ByCpu>(|| [7; 8750]);
    lock_each_cpu::<_, ByCpu>(|| [7; 26_000]);
    lock_each_cpu::<_, ByCpu>(|| Aligned([7]));
    if rseq_core::Ambient::token().mm_cid().is_some() {
        lock_each_cpu::<_, ByMmCid>(|| [7; 8750]);
    }
}
