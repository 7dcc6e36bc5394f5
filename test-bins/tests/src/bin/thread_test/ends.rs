//! How threads end, and child processes that are used as threads.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use harness::ensure;
use harness::ktap::{OrFail, Verdict};
use harness::sys::call;
use harness::sys::process;
use harness::sys::time::{self, Deadline, SECOND};
use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;
use rseq_rt::sync::Mutex;
use rseq_rt::thread::{self, Builder, JoinHandle};

use crate::mapped;
use crate::values::Counted;

/// Drops the handle of a thread whose thread-local waits, as it is dropped, for a lock that this thread holds.
pub fn drop_does_not_wait() -> u8 {
    static LOCK: Mutex<u32> = Mutex::new(0);
    static DROPS: AtomicU32 = AtomicU32::new(0);
    struct Locks;
    impl Drop for Locks {
        fn drop(&mut self) {
            *LOCK.lock() += 1;
        }
    }
    rseq_rt::thread_local! {
        static LOCKS: Locks = Locks;
    }
    let mut lock = LOCK.lock();
    let Ok(thread) = thread::spawn(|| LOCKS.with(|_| Counted(&DROPS))) else { return 2 };
    while !thread.is_finished() {
        time::yield_now();
    }
    drop(thread);
    *lock += 1;
    drop(lock);
    let deadline = Deadline::after(10 * SECOND);
    while *LOCK.lock() < 2 {
        if deadline.is_past() {
            return 3;
        }
        time::yield_now();
    }
    u8::from(DROPS.load(Ordering::Relaxed) != 1)
}

/// Ends threads in the destructors of their thread-locals: joined, detached and scoped ones.
pub fn exit_in_a_destructor() -> u8 {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    struct Ends(Cell<u32>);
    impl Drop for Ends {
        fn drop(&mut self) {
            // SAFETY: the closure has returned, and nothing else is on the thread's stack.
            unsafe { thread::exit() }
        }
    }
    rseq_rt::thread_local! {
        static ENDS: Ends = Ends(Cell::new(0));
    }
    let work = || {
        ENDS.with(|ends| ends.0.set(1));
        Counted(&DROPS)
    };
    for round in 1..=100 {
        let (Ok(joined), Ok(detached)) = (thread::spawn(work), thread::spawn(work)) else { return 2 };
        detached.detach();
        if joined.try_join().is_none() {
            return 3;
        }
        let scoped = thread::scope(|scope| scope.spawn(work).map(drop));
        if scoped.is_err() {
            return 4;
        }
        let deadline = Deadline::after(10 * SECOND);
        while DROPS.load(Ordering::Relaxed) < 3 * round {
            if deadline.is_past() {
                return 5;
            }
            time::yield_now();
        }
    }
    u8::from(DROPS.load(Ordering::Relaxed) != 300)
}

/// A thread that joins itself panics.
pub fn join_of_itself() -> u8 {
    static HANDLE: Mutex<Option<JoinHandle<()>>> = Mutex::new(None);
    let mut handle = HANDLE.lock();
    let itself = thread::spawn(|| {
        if let Some(itself) = HANDLE.lock().take() {
            itself.join();
        }
        process::exit(3)
    });
    *handle = itself.ok();
    drop(handle);
    time::sleep(60 * SECOND);
    2
}

/// Starts a child process that ends before its closure has returned.
fn dying() -> Result<JoinHandle<Counted>, Errno> {
    Builder::new().process().spawn(|| process::exit(7))
}

/// Reaps all children.
fn reap() {
    // SAFETY: the kernel is given nowhere to write.
    while unsafe { call(raw::__NR_wait4, [usize::MAX, 0, raw::__WALL as usize, 0]) }.is_ok_and(|pid| pid != 0) {}
}

/// A child process may end at any moment: no scope waits for it, and nothing of it is left.
pub fn dead_processes() -> Verdict {
    const MANY: usize = 50;
    let scoped = thread::scope(|scope| Builder::new().process().spawn_scoped(scope, || ()).err());
    ensure!(scoped == Some(Errno::EINVAL), "a process in a scope gives {scoped:?}, not EINVAL");
    let before = mapped();
    let mut handles = [const { None }; MANY];
    for handle in &mut handles {
        *handle = Some(dying().or_fail("spawn")?);
    }
    reap();
    let [first, second, rest @ ..] = handles;
    let (first, second) = (first.or_fail("a handle")?, second.or_fail("a handle")?);
    ensure!(first.is_finished() && first.tid().is_none(), "a process that was reaped is not finished");
    ensure!(first.try_join().is_none() && second.try_join().is_none(), "a process that called exit has a result");
    drop(rest);
    for _ in 0..MANY {
        // Detached before it ends, or after it.
        dying().or_fail("spawn")?.detach();
    }
    reap();
    // Frees what those have left that were detached before.
    thread::spawn(|| ()).or_fail("spawn")?.join();
    let (Some(before), Some(after)) = (before, mapped()) else { return Ok(()) };
    ensure!(after < before + thread::DEFAULT_STACK_SIZE, "{after} bytes are mapped, {before} were at first");
    Ok(())
}

/// A child process whose result is not wanted drops it, and its memory is freed.
pub fn detached_process() -> Verdict {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    let before = mapped();
    for _ in 0..20 {
        Builder::new().process().spawn(|| Counted(&DROPS)).or_fail("spawn")?.detach();
    }
    reap();
    thread::spawn(|| ()).or_fail("spawn")?.join();
    let drops = DROPS.load(Ordering::Relaxed);
    ensure!(drops == 20, "{drops} results were dropped, not 20");
    let (Some(before), Some(after)) = (before, mapped()) else { return Ok(()) };
    ensure!(after < before + thread::DEFAULT_STACK_SIZE, "{after} bytes are mapped, {before} were at first");
    Ok(())
}
