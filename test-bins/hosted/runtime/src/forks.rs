//! Children of a process whose other threads are in the allocator.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use linux_raw_sys::general as raw;
use rseq_core::sys::{Errno, syscall};
use rseq_rt::thread;

const CHILDREN: usize = 60;

/// Failures after which there is no need for more.
const ENOUGH: usize = 3;

/// Seconds after which a child counts as hung.
const PATIENCE: usize = 5;

/// Forks as a program does that knows nothing of this allocator.
pub fn raw() -> Result<()> {
    let stop = AtomicBool::new(false);
    let failed = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    work(100);
                }
            })?;
        }
        let failed = (0..CHILDREN).filter(|_| !child_works()).take(ENOUGH).count();
        stop.store(true, Ordering::Relaxed);
        Ok::<usize, Errno>(failed)
    });
    let failed = failed.context("spawn")?;
    ensure!(failed == 0, "{failed} children of at most {CHILDREN} failed");
    Ok(())
}

/// Blocks of many sizes, allocated, grown and freed; each holds what was put there.
fn work(rounds: usize) -> bool {
    let mut map = BTreeMap::new();
    for round in 0..rounds {
        map.insert(round, Box::new([round; 3]));
    }
    let texts: Vec<String> = (0..rounds).map(|round| format!("{round:>width$}", width = round)).collect();
    map.iter().all(|(key, value)| **value == [*key; 3])
        && texts.iter().enumerate().all(|(round, text)| text.trim().parse() == Ok(round))
}

fn child_works() -> bool {
    let old: Vec<u64> = (0..100).collect();
    // SAFETY: a fork: the child has a copy of all memory, and of this thread alone.
    let pid = unsafe { syscall(raw::__NR_clone, [raw::SIGCHLD as usize, 0, 0, 0, 0, 0]) };
    match pid {
        Err(_) => false,
        Ok(0) => {
            // SAFETY: the call takes a number; the signal's default ends this child.
            let _ = unsafe { syscall(raw::__NR_alarm, [PATIENCE, 0, 0, 0, 0, 0]) };
            let mut old = old;
            old.extend(100..5000);
            let intact = old.iter().copied().eq(0..5000) && work(200);
            drop(old);
            rseq_rt::process::exit(rseq_rt::process::ExitCode(u8::from(!intact)))
        }
        Ok(pid) => {
            let mut status = 0_u32;
            // SAFETY: the kernel writes one int.
            let waited = unsafe { syscall(raw::__NR_wait4, [pid, &raw mut status as usize, 0, 0, 0, 0]) };
            waited == Ok(pid) && status == 0
        }
    }
}
