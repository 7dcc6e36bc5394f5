//! A thread that wakes again and again, before all others, and sees how late it is.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use harness::note;
use harness::sys::process::run_first_in_first_out;
use harness::sys::time::{self, Deadline, MICROSECOND, MILLISECOND};

/// How often it wakes.
const INTERVAL: u64 = 500 * MICROSECOND;
/// The policy's priority. Any is before threads of the ordinary policy.
const PRIORITY: i32 = 20;

/// What it saw, in nanoseconds.
#[derive(Default)]
pub struct Latency {
    /// The longest while nothing else happened here.
    pub idle: AtomicU64,
    /// The longest from then on.
    pub longest: AtomicU64,
    /// Whether the scheduler gives it its CPU at once.
    pub is_first: AtomicBool,
}

impl Latency {
    /// Looks at the machine as it is for a moment, then says so in `is_ready`, and goes on until `stop`.
    pub fn watch(&self, is_ready: &AtomicBool, stop: &AtomicBool) {
        match run_first_in_first_out(PRIORITY) {
            Ok(()) => self.is_first.store(true, Relaxed),
            Err(errno) => note!("no SCHED_FIFO ({errno}): latencies are not judged"),
        }
        let idle = Deadline::after(100 * MILLISECOND);
        look(&self.idle, &|| idle.is_past());
        is_ready.store(true, Relaxed);
        look(&self.longest, &|| stop.load(Relaxed));
    }
}

fn look(longest: &AtomicU64, is_over: &dyn Fn() -> bool) {
    let mut before = time::now();
    while !is_over() {
        time::sleep(INTERVAL);
        let now = time::now();
        longest.fetch_max((now - before).saturating_sub(INTERVAL), Relaxed);
        before = now;
    }
}
