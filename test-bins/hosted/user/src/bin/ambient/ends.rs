//! Threads that end: detached ones, and destructors that count before and after the thread's registration is released.

use crate::{add, is_exact};
use anyhow::{Result, anyhow, ensure};
use rseq_core::{Cause, OwnArea, Status, status};
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// A thread-local whose destructor counts, and notes the status that the thread has then.
struct Counting(Cell<&'static str>);

impl Drop for Counting {
    fn drop(&mut self) {
        add(1);
        SEEN.lock().unwrap().push((self.0.get(), status()));
        ENDED.fetch_add(1, SeqCst);
    }
}

thread_local! {
    static FIRST: Counting = const { Counting(Cell::new("")) };
    static LAST: Counting = const { Counting(Cell::new("")) };
}

static SEEN: Mutex<Vec<(&str, Status)>> = Mutex::new(Vec::new());
static ENDED: AtomicU64 = AtomicU64::new(0);

fn wait(ended: u64) -> Result<()> {
    let start = Instant::now();
    while ENDED.load(SeqCst) < ended {
        ensure!(start.elapsed() < Duration::from_secs(60), "{} of {ended} ended", ENDED.load(SeqCst));
        thread::sleep(Duration::from_micros(50));
    }
    Ok(())
}

/// Ten thousand threads that are not waited for, at most 32 at a time.
pub fn detached() -> Result<()> {
    const THREADS: u64 = 10_000;
    for thread in 0..THREADS {
        drop(thread::Builder::new().stack_size(64 << 10).spawn(|| {
            FIRST.with(|first| first.0.set("first"));
            add(10);
        }));
        wait((thread + 1).saturating_sub(32))?;
    }
    wait(THREADS)?;
    println!("{THREADS} threads");
    is_exact(11 * THREADS)
}

/// The destructor of a thread-local that is used before the counters runs after the release, the other before it.
pub fn destructors() -> Result<()> {
    let is_own = rseq_core::ensure_registered() == Ok(rseq_core::Owner::Own);
    let work = || {
        FIRST.with(|first| first.0.set("first"));
        add(5);
        LAST.with(|last| last.0.set("last"));
    };
    for _ in 0..100 {
        thread::spawn(work).join().map_err(|_| anyhow!("a thread panicked"))?;
    }
    // In these threads nothing is counted before the first destructor.
    for _ in 0..100 {
        let late = || LAST.with(|last| last.0.set("alone"));
        thread::spawn(late).join().map_err(|_| anyhow!("a thread panicked"))?;
    }
    for (name, found) in SEEN.lock().unwrap().iter() {
        let on = matches!(found, Status::On(_));
        let is_expected = match *name {
            "first" if is_own => *found == Status::Off(Cause::ThreadEnds),
            _ => on || !matches!(status(), Status::On(_)),
        };
        ensure!(is_expected, "{name}: {found}");
    }
    println!("{} destructors, own registration: {is_own}", ENDED.load(SeqCst));
    ensure!(!is_own || OwnArea::current().is_some(), "main has lost its registration");
    is_exact(100 * 7 + 100)
}
