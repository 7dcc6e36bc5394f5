//! Load under which sections are interrupted: threads, each with its own timer signal, moved from CPU to CPU.
//!
//! [`Load::run`] ends when the workers have seen enough of what the test waits for, or at a deadline. The period of the
//! signals follows what a signal costs on this machine, so that emulated ones still get work done between two of them.

pub mod signal_period;

use core::ops::AddAssign;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

use linux_raw_sys::general::SIGUSR1;
use rseq_core::sys::Errno;

use crate::sys::cpu::{self, Set};
use crate::sys::process;
use crate::sys::signal::{self, Action};
use crate::sys::time::{self, Deadline, MILLISECOND, Ticker};

/// The most threads that a load can have.
pub const MAX_THREADS: usize = 64;

/// No load is shorter: what is wrong needs a moment to show.
const AT_LEAST: u64 = 100 * MILLISECOND;

/// What a load is made of.
#[derive(Clone, Copy)]
pub struct Load {
    /// Worker threads, at most [`MAX_THREADS`].
    pub threads: u32,
    /// The load ends at the latest after this many nanoseconds.
    pub nanoseconds: u64,
    /// It ends once the workers have counted this many events, and not before 0.1 s.
    pub enough: usize,
    /// Whether timer signals interrupt the workers.
    pub signals: bool,
    /// Whether the workers are moved from CPU to CPU.
    pub migration: bool,
    /// How often the time between two signals is halved.
    pub halvings: u32,
    /// What the timer signals run; one of the test's own ends with [`count_signal`].
    pub handler: extern "C" fn(i32),
}

/// What a load was, once it is over.
#[derive(Clone, Copy, Default)]
pub struct Record {
    /// Events that the workers counted.
    pub events: usize,
    /// Signals that were handled.
    pub signals: u64,
    /// Times a worker was sent to another CPU.
    pub migrations: u64,
    /// How long the load lasted, in nanoseconds.
    pub nanoseconds: u64,
}

impl AddAssign for Record {
    fn add_assign(&mut self, more: Self) {
        self.events += more.events;
        self.signals += more.signals;
        self.migrations += more.migrations;
        self.nanoseconds += more.nanoseconds;
    }
}

/// What the workers share.
struct Shared {
    /// When the load began.
    began: u64,
    /// How many signals had been handled by then.
    signals_before: u32,
    stop: AtomicBool,
    events: AtomicUsize,
    running: AtomicU32,
    failed: AtomicU32,
    tids: [AtomicU32; MAX_THREADS],
}

/// One worker's view of the load.
pub struct Worker<'s> {
    /// From 0 to the number of threads.
    pub index: u32,
    shared: &'s Shared,
    enough: usize,
}

impl Worker<'_> {
    /// Whether to continue.
    #[inline]
    pub fn goes_on(&self) -> bool {
        !self.shared.stop.load(Relaxed)
    }

    /// Counts `count` events of the kind that the test waits for.
    pub fn saw(&self, count: usize) {
        let enough = self.shared.events.fetch_add(count, Relaxed) + count >= self.enough;
        if enough && time::now() - self.shared.began >= AT_LEAST {
            self.shared.stop.store(true, Relaxed);
        }
    }

    /// Counts the signals of all workers as the events, once: by the first worker.
    pub fn saw_signals(&self) {
        if self.index == 0 {
            let handled = SIGNALS.load(Relaxed).wrapping_sub(self.shared.signals_before) as usize;
            self.saw(handled.saturating_sub(self.shared.events.load(Relaxed)));
        }
    }
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);

/// The plain handler: it counts.
pub extern "C" fn count_signal(_: i32) {
    SIGNALS.fetch_add(1, Relaxed);
}

/// How many signals [`count_signal`] has handled in this process.
pub fn signals() -> u32 {
    SIGNALS.load(Relaxed)
}

impl Load {
    /// Signals and migration, with `threads` workers.
    pub const fn heavy(threads: u32, nanoseconds: u64, enough: usize) -> Self {
        Self { threads, nanoseconds, enough, signals: true, migration: true, halvings: 0, handler: count_signal }
    }

    /// The same for threads that no kernel restarts: it ends after ten times as many signals as one would want aborts,
    /// which the workers count by [`Worker::saw_signals`].
    pub const fn without_aborts(self) -> Self {
        Self { enough: self.enough.saturating_mul(10), ..self }
    }

    /// Runs `work` once in each worker until its [`Worker::goes_on`] says no.
    ///
    /// # Errors
    ///
    /// The first error of a thread or a timer that could not be made; the load has ended then.
    pub fn run(&self, work: &(dyn Fn(&Worker<'_>) + Sync)) -> Result<Record, Errno> {
        signal::set(SIGUSR1, Action::Handler(self.handler))?;
        let before = SIGNALS.load(Relaxed);
        let began = time::now();
        let shared = Shared {
            began,
            signals_before: before,
            stop: AtomicBool::new(false),
            events: AtomicUsize::new(0),
            running: AtomicU32::new(self.threads),
            failed: AtomicU32::new(0),
            tids: [const { AtomicU32::new(0) }; MAX_THREADS],
        };
        let period = if self.signals { signal_period::hurried(self.halvings)? } else { 0 };
        let migrations = rseq_rt::thread::scope(|scope| {
            for index in 0..self.threads.min(MAX_THREADS as u32) {
                let shared = &shared;
                let load = *self;
                let spawned = scope.spawn(move || load.worker(index, period, shared, work));
                if let Err(errno) = spawned {
                    shared.fail(errno);
                    shared.running.fetch_sub(1, Relaxed);
                }
            }
            self.disturb(&shared)
        });
        let record = Record {
            events: shared.events.load(Relaxed),
            signals: u64::from(SIGNALS.load(Relaxed).wrapping_sub(before)),
            migrations,
            nanoseconds: time::now() - began,
        };
        match shared.failed.load(Relaxed) {
            0 => Ok(record),
            errno => Err(Errno(errno as i32)),
        }
    }

    /// Runs the load until `done` says so of everything that it was so far, up to `patience` nanoseconds: a load that
    /// has to be repeated has more signals each time.
    ///
    /// # Errors
    ///
    /// Those of [`Load::run`].
    pub fn run_until(
        mut self,
        patience: u64,
        done: &dyn Fn(&Record) -> bool,
        work: &(dyn Fn(&Worker<'_>) + Sync),
    ) -> Result<Record, Errno> {
        let mut record = self.run(work)?;
        while !done(&record) && record.nanoseconds < patience {
            self.halvings += 1;
            record += self.run(work)?;
        }
        Ok(record)
    }

    fn worker(&self, index: u32, period: u64, shared: &Shared, work: &(dyn Fn(&Worker<'_>) + Sync)) {
        if let Some(tid) = shared.tids.get(index as usize) {
            tid.store(process::thread_id(), Relaxed);
        }
        let ticker = if self.signals { Ticker::start(SIGUSR1, period).map(Some) } else { Ok(None) };
        match ticker {
            Ok(_ticker) => work(&Worker { index, shared, enough: self.enough }),
            Err(errno) => shared.fail(errno),
        }
        if let Some(tid) = shared.tids.get(index as usize) {
            tid.store(0, Relaxed);
        }
        shared.running.fetch_sub(1, Relaxed);
    }

    /// Moves the workers about until they are all done; returns how often.
    fn disturb(&self, shared: &Shared) -> u64 {
        let deadline = Deadline::after(self.nanoseconds);
        let allowed = cpu::affinity(0).unwrap_or(Set::empty());
        let mut target = 0;
        let mut migrations = 0;
        while shared.running.load(Relaxed) > 0 {
            if deadline.is_past() {
                shared.stop.store(true, Relaxed);
            }
            if shared.stop.load(Relaxed) {
                // A worker whose handler takes longer than the time between two signals, as one that forks may among
                // other threads, would never leave it. This cannot fail: `run` has set a handler for the same signal.
                let _ = signal::set(SIGUSR1, Action::Handler(count_signal));
            }
            time::sleep(MILLISECOND);
            if self.migration && allowed.count() > 1 {
                for tid in &shared.tids {
                    target = allowed.after(target).unwrap_or(0);
                    migrations += send_to(tid.load(Relaxed), target);
                }
            }
        }
        migrations
    }
}

/// Restricts the thread to `cpu`; a thread that has just ended is left alone.
fn send_to(tid: u32, cpu: u32) -> u64 {
    u64::from(tid != 0 && cpu::set_affinity(tid, &Set::only(cpu)).is_ok())
}

impl Shared {
    fn fail(&self, errno: Errno) {
        self.failed.store(errno.0 as u32, Relaxed);
        self.stop.store(true, Relaxed);
    }
}
