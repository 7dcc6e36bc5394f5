//! Many threads that count in a section each.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use harness::ktap::{OrFail, Verdict};
use harness::sys::memory::Mapping;
use harness::sys::time::{self, Deadline, MILLISECOND, SECOND};
use harness::{ensure, fail, note};
use rseq_core::percpu::{PossibleCpus, SlotCounter, Slots};
use rseq_core::sys::Errno;
use rseq_rt::thread;

/// What the many threads share.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    counter: SlotCounter<'a>,
    ended: &'a AtomicU32,
    refused: &'a AtomicU32,
}

impl Shared<'_> {
    /// The whole work of one of the threads: one section.
    fn work(self) {
        let added = rseq_rt::current().map(|token| self.counter.add(token, 1));
        if added != Some(Ok(())) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        self.ended.fetch_add(1, Ordering::Release);
    }
}

/// Runs `count` threads that add 1 each to a per-CPU counter, and expects `count`.
pub fn counted(count: u32, run: fn(u32, Shared<'static>) -> Result<u32, Errno>) -> Verdict {
    let cpus = PossibleCpus::read().or_fail("the number of CPUs")?;
    let needed = cpus.slots_by_cpu();
    let memory = Mapping::shared(needed * 64).or_fail("memory for the slots")?;
    let words = needed * 64 / size_of::<AtomicUsize>();
    // SAFETY: the mapping holds that many words, zeroed, and is only used here. It is leaked below, so that they live
    // for ever.
    let words = unsafe { core::slice::from_raw_parts_mut(memory.address() as *mut AtomicUsize, words) };
    core::mem::forget(memory);
    let slots = Slots::new(words, &cpus).map_err(|error| fail!("{error}"))?;
    // Statics, since a detached thread may use them after this function has failed.
    static ENDED: AtomicU32 = AtomicU32::new(0);
    static REFUSED: AtomicU32 = AtomicU32::new(0);
    ENDED.store(0, Ordering::Relaxed);
    REFUSED.store(0, Ordering::Relaxed);
    let shared = Shared { counter: SlotCounter::new(slots), ended: &ENDED, refused: &REFUSED };
    let start = time::now();
    let waits = run(count, shared).or_fail("spawn")?;
    let sum = shared.counter.sum();
    let refused = REFUSED.load(Ordering::Relaxed);
    note!("{count} threads, {sum} commits, in {} ms, {waits} waits for a limit", (time::now() - start) / MILLISECOND);
    ensure!(refused == 0, "{refused} threads were not registered");
    ensure!(sum == count as usize, "{count} threads counted {sum}");
    Ok(())
}

pub fn joined(count: u32, shared: Shared<'static>) -> Result<u32, Errno> {
    for _ in 0..count {
        thread::spawn(move || shared.work())?.join();
    }
    Ok(0)
}

pub fn detached(count: u32, shared: Shared<'static>) -> Result<u32, Errno> {
    let mut waits = 0;
    for _ in 0..count {
        while let Err(errno) = thread::spawn(move || shared.work()).map(thread::JoinHandle::detach) {
            // Too many at once: some will end.
            waits += 1;
            if !matches!(errno, Errno::EAGAIN | Errno::ENOMEM) || waits > 10 * count {
                return Err(errno);
            }
            time::sleep(MILLISECOND);
        }
    }
    let deadline = Deadline::after(120 * SECOND);
    while shared.ended.load(Ordering::Acquire) < count && !deadline.is_past() {
        time::sleep(MILLISECOND);
    }
    Ok(waits)
}
