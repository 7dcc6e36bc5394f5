//! Threads that are interrupted by signals and moved between CPUs while they work.

#![allow(dead_code, reason = "no test uses all of it")]

use crate::affinity;
use std::cell::Cell;
use std::ffi::c_int;
use std::process::Command;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// SIGURG: ignored unless there is a handler.
const SIGNAL: c_int = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 21 } else { 23 };

unsafe extern "C" {
    safe fn signal(signal: c_int, handler: extern "C" fn(c_int)) -> usize;
    safe fn gettid() -> c_int;
    safe fn getpid() -> c_int;
    safe fn tgkill(process: c_int, thread: c_int, signal: c_int) -> c_int;
}

thread_local! {
    static HANDLER: Cell<fn()> = const { Cell::new(|| ()) };
}

extern "C" fn handler(_: c_int) {
    HANDLER.get()();
}

/// What the calling thread does on a signal.
pub fn on_signal(handler: fn()) {
    HANDLER.set(handler);
}

/// Runs a test of this program again, in a process where glibc leaves threads unregistered.
pub fn again_without_rseq(test: &str) {
    if std::env::var_os("GLIBC_TUNABLES").is_none() {
        let mut command = Command::new(std::env::current_exe().expect("the path of a running program"));
        command.args(["--exact", test]).env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
        let output = command.output().expect("this program runs again");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{test}, without rseq: {text}");
    }
}

/// Runs `work` in so many threads, with their numbers. Meanwhile, each is interrupted by a signal and moved to the next
/// CPU again and again.
pub fn run(threads: u64, work: impl Fn(u64) + Sync) {
    signal(SIGNAL, handler);
    let ids: Vec<_> = (0..threads).map(|_| AtomicI32::new(0)).collect();
    let (work, ids, alive) = (&work, &ids, &AtomicUsize::new(ids.len()));
    let cpus = affinity::allowed();
    thread::scope(|scope| {
        for (thread, id) in ids.iter().enumerate() {
            scope.spawn(move || {
                let _ended = Ended(id, alive);
                id.store(gettid(), Ordering::Relaxed);
                work(thread as u64);
            });
        }
        for turn in 0.. {
            for (thread, id) in ids.iter().enumerate() {
                // A thread that has ended meanwhile is not found.
                let id = id.load(Ordering::Relaxed);
                if id != 0 {
                    tgkill(getpid(), id, SIGNAL);
                    affinity::try_pin(id, cpus[(turn / 4 + thread) % cpus.len()]);
                }
            }
            if alive.load(Ordering::Relaxed) == 0 {
                break;
            }
            thread::sleep(Duration::from_micros(50));
        }
    });
}

struct Ended<'a>(&'a AtomicI32, &'a AtomicUsize);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}
