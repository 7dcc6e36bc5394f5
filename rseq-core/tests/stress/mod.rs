//! Threads that are interrupted, migrated and partly without sections, for the stress tests of per-CPU types.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use rseq_core::{Ambient, Area, arch, sys};

const SIGUSR1: i32 = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 16 } else { 10 };

unsafe extern "C" {
    safe fn signal(signal: i32, handler: extern "C" fn(i32)) -> usize;
    safe fn tgkill(process: i32, thread: i32, signal: i32) -> i32;
    safe fn gettid() -> i32;
    safe fn getpid() -> i32;
}

/// Takes this thread's registration away, so that it is one without sections.
pub fn unregister() {
    let area = Ambient::token().area().pointer().as_ptr();
    // SAFETY: the thread uses no section that needs it: per-CPU types do without.
    let release = |len| unsafe { sys::rseq(area, len, 1, arch::SIGNATURE) };
    let released = (32..=256).any(|len| release(len).is_ok());
    assert!(released || !Ambient::token().is_registered());
    assert!(rseq_core::ensure_registered().is_err() || cfg!(feature = "std"));
}

/// A sequence of numbers that looks random.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// A thread that runs; it may end by a panic.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Runs `work` in so many threads, which get their number and are interrupted by `handler` all the time. The last ones
/// have no registration.
pub fn storm(threads: usize, unregistered: usize, handler: extern "C" fn(i32), work: impl Fn(usize) + Sync) {
    signal(SIGUSR1, handler);
    let (tids, running) = (Mutex::new(Vec::new()), AtomicUsize::new(threads));
    let run = |number| {
        let _running = Running(&running);
        if number >= threads - unregistered {
            unregister();
        }
        tids.lock().unwrap().push(gettid());
        work(number);
    };
    thread::scope(|scope| {
        for number in 0..threads {
            let run = &run;
            scope.spawn(move || run(number));
        }
        while running.load(Relaxed) > 0 {
            // Threads that have ended are not found.
            for &tid in &*tids.lock().unwrap() {
                let _ = tgkill(getpid(), tid, SIGUSR1);
            }
            thread::sleep(Duration::from_micros(50));
        }
    });
}
