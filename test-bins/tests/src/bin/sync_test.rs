//! What threads of the runtime wait by: locks, conditions, barriers.
#![no_std]
#![no_main]

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use harness::ktap::{OrFail, Verdict};
use harness::sys::process;
use harness::sys::time::{self, MILLISECOND};
use harness::{args, ensure, program, tests};
use rseq_core::sys::Errno;
use rseq_rt::process::ExitCode;
use rseq_rt::sync::{Barrier, Condvar, Mutex, Once, OnceLock, Parker, RwLock};
use rseq_rt::thread;

rseq_rt::entry!(main);

const USAGE: &str = "sync_test: locks, conditions and barriers of the runtime
usage: sync_test [--short]
  --short  few rounds, for emulated machines; so it is as PID 1
exit codes: 0 pass, 1 fail, 2 expected failure, 3 unexpected pass, 4 skip, 64 usage";

/// Threads of each test.
const THREADS: usize = 4;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let short = args::short(USAGE) || process::id() == 1;
    let rounds = if short { 2_000 } else { 50_000 };
    tests! {
        "a mutex is held by one thread at a time" => mutex(rounds),
        "a readers-writer lock is held by readers, or by one writer" => read_write(rounds),
        "readers do not wait for each other" => readers_together(),
        "a condition is waited for until it holds" => condition(rounds / 10),
        "a wait for a condition can end without it" => timeouts(),
        "a function runs once, and its value is seen by all" => once(rounds / 40),
        "a barrier opens when all are there" => barrier(rounds / 10),
        "a parked thread goes on with the token, which is kept for it" => parked(rounds / 10),
    }
}

/// Runs `work` in all threads; each gets its number.
fn in_threads(work: impl Fn(usize) + Sync) -> Verdict {
    let work = &work;
    let started =
        thread::scope(|scope| (0..THREADS).try_for_each(|number| scope.spawn(move || work(number)).map(drop)));
    started.or_fail("spawn")
}

/// A number that is not atomic: additions are lost where two threads are there at once.
struct Plain(UnsafeCell<usize>);

// SAFETY: every test reaches it with a lock held; a lock that does not work loses additions, which is what is tested.
unsafe impl Sync for Plain {}

impl Plain {
    const fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    /// Adds 1, slowly if asked to: then any other thread in the critical section is noticed.
    fn add(&self, slowly: bool) {
        let value = self.get();
        if slowly {
            time::yield_now();
        }
        // SAFETY: the pointer is valid; the caller has a lock.
        unsafe { self.0.get().write_volatile(value + 1) };
    }

    fn get(&self) -> usize {
        // SAFETY: the pointer is valid; the caller has a lock.
        unsafe { self.0.get().read_volatile() }
    }
}

fn mutex(rounds: usize) -> Verdict {
    let (lock, sum) = (Mutex::new(()), Plain::new());
    in_threads(|number| {
        for round in 0..rounds {
            let _guard = lock.lock();
            sum.add((round + number) % 64 == 0);
        }
    })?;
    ensure!(sum.get() == THREADS * rounds, "{} of {} additions", sum.get(), THREADS * rounds);
    ensure!(lock.try_lock().is_some(), "the mutex was not given back");
    Ok(())
}

fn read_write(rounds: usize) -> Verdict {
    let (lock, one, other) = (RwLock::new(()), Plain::new(), Plain::new());
    let torn = AtomicU32::new(0);
    in_threads(|number| {
        for round in 0..rounds {
            if (round + number) % 4 == 0 {
                let _guard = lock.write();
                one.add(round % 64 == 0);
                other.add(round % 64 == 1);
            } else {
                let _guard = lock.read();
                torn.fetch_add(u32::from(one.get() != other.get()), Ordering::Relaxed);
            }
        }
    })?;
    let torn = torn.load(Ordering::Relaxed);
    ensure!(torn == 0, "{torn} times a reader saw a writer's half");
    ensure!(one.get() == THREADS * rounds / 4, "{} of {} additions", one.get(), THREADS * rounds / 4);
    ensure!(lock.try_write().is_some(), "the lock was not given back");
    Ok(())
}

fn readers_together() -> Verdict {
    let (lock, together) = (RwLock::new(()), Barrier::new(THREADS));
    in_threads(|_| {
        let _guard = lock.read();
        together.wait();
    })?;
    let reader = lock.read();
    ensure!(lock.try_read().is_some(), "a second reader is kept out");
    ensure!(lock.try_write().is_none(), "a writer gets in beside a reader");
    drop(reader);
    let writer = lock.write();
    ensure!(lock.try_read().is_none() && lock.try_write().is_none(), "it is read or written beside a writer");
    drop(writer);
    Ok(())
}

/// A queue of one place: two threads put numbers in, two take them out.
fn condition(rounds: usize) -> Verdict {
    let (place, changed) = (Mutex::new(None), Condvar::new());
    let sum = AtomicU32::new(0);
    in_threads(|number| {
        for round in 0..rounds as u32 {
            let mut place = place.lock();
            if number % 2 == 0 {
                changed.wait_while(&mut place, |place| place.is_some());
                *place = Some(round);
            } else {
                changed.wait_while(&mut place, |place| place.is_none());
                sum.fetch_add(place.take().unwrap_or(0), Ordering::Relaxed);
            }
            changed.notify_all();
        }
    })?;
    let wanted = (0..rounds as u32).sum::<u32>() * (THREADS as u32 / 2);
    let sum = sum.load(Ordering::Relaxed);
    ensure!(sum == wanted, "the sum is {sum}, not {wanted}");
    Ok(())
}

fn timeouts() -> Verdict {
    let (lock, changed) = (Mutex::new(()), Condvar::new());
    let start = time::now();
    let mut guard = lock.lock();
    while !changed.wait_timeout(&mut guard, Duration::from_millis(20)) {}
    ensure!(lock.try_lock().is_none(), "the mutex was not locked again");
    let parker = Parker::new();
    ensure!(!parker.park_timeout(Duration::from_millis(20)), "a token came from nowhere");
    parker.unpark();
    ensure!(parker.park_timeout(Duration::from_secs(60)), "the token is lost");
    let passed = time::now() - start;
    ensure!(passed >= 40 * MILLISECOND, "two waits of 20 ms took {passed} ns");
    Ok(())
}

fn once(rounds: usize) -> Verdict {
    for _ in 0..rounds.max(50) {
        let (once, lock, runs, wrong) = (Once::new(), OnceLock::new(), Plain::new(), AtomicU32::new(0));
        in_threads(|number| {
            once.call_once(|| {
                time::yield_now();
                runs.add(false);
            });
            let value: &usize = lock.get_or_init(|| number);
            let right = runs.get() == 1 && lock.get() == Some(value) && lock.set(number).is_err();
            wrong.fetch_add(u32::from(!right), Ordering::Relaxed);
        })?;
        ensure!(once.is_completed() && wrong.load(Ordering::Relaxed) == 0, "{} runs", runs.get());
    }
    Ok(())
}

fn barrier(rounds: usize) -> Verdict {
    let (barrier, arrived) = (Barrier::new(THREADS), AtomicU32::new(0));
    let (early, leaders) = (AtomicU32::new(0), AtomicU32::new(0));
    in_threads(|_| {
        for round in 1..=rounds as u32 {
            arrived.fetch_add(1, Ordering::Relaxed);
            leaders.fetch_add(barrier.wait().into(), Ordering::Relaxed);
            let is_early = arrived.load(Ordering::Relaxed) < round * THREADS as u32;
            early.fetch_add(is_early.into(), Ordering::Relaxed);
        }
    })?;
    let (early, leaders) = (early.load(Ordering::Relaxed), leaders.load(Ordering::Relaxed));
    ensure!(early == 0, "{early} times a thread went on early");
    ensure!(leaders as usize == rounds, "{leaders} threads were the last ones of {rounds} rounds");
    Ok(())
}

/// Two threads take turns.
fn parked(rounds: usize) -> Verdict {
    let (ping, pong, turns) = (Parker::new(), Parker::new(), Plain::new());
    let done = thread::scope(|scope| {
        let other = scope.spawn(|| {
            for _ in 0..rounds {
                ping.park();
                turns.add(false);
                pong.unpark();
            }
        })?;
        for _ in 0..rounds {
            turns.add(false);
            ping.unpark();
            pong.park();
        }
        other.join();
        Ok::<(), Errno>(())
    });
    done.or_fail("spawn")?;
    ensure!(turns.get() == 2 * rounds, "{} of {} turns", turns.get(), 2 * rounds);
    Ok(())
}
