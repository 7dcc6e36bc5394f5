//! Threads that send fences, and threads that count in sections.

use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use harness::delayed::{DELAY, Delay, delayed_add};
use harness::index::{ByCpu, Choice};
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::options::{Options, PATIENCE};
use harness::slots::Slots;
use harness::sys::cpu::{self, Set};
use harness::sys::time::{self, Deadline, MILLISECOND};
use harness::{ensure, exact, in_time, note};
use rseq_core::sys::{Errno, Fence, membarrier_rseq};

use crate::groups::Groups;
use crate::sentinel::Latency;

/// How late the sentinel may be, as in the kernel's own test: a machine that is later is about to lock up.
const LONGEST: u64 = 200 * MILLISECOND;
/// The same for an emulated machine, whose CPUs wait for those of its host.
const LONGEST_EMULATED: u64 = 2_000 * MILLISECOND;

/// Sections between two looks at whether to stop.
const ROUNDS: usize = 16;
/// Of so many fences, one is for all CPUs.
const ONE_IN: usize = 16;

/// What the threads share.
struct Storm<'a> {
    slots: Slots,
    groups: Option<&'a Groups>,
    is_ready: AtomicBool,
    stop: AtomicBool,
    fences: AtomicUsize,
    added: AtomicUsize,
    aborts: AtomicUsize,
    /// Threads that found themselves on another CPU than theirs.
    astray: AtomicUsize,
    /// The first error of a fence, or of a thread that could not begin.
    refused: AtomicI32,
    unable: AtomicI32,
    latency: Latency,
    throttled: AtomicU64,
}

/// The storm on `cpus`, its burning threads in `groups` if there are any.
pub fn test(options: &Options, cpus: &Set, groups: Option<&Groups>) -> Verdict {
    let storm = Storm {
        slots: Slots::new().or_fail("memory for the slots")?,
        groups,
        is_ready: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        fences: AtomicUsize::new(0),
        added: AtomicUsize::new(0),
        aborts: AtomicUsize::new(0),
        astray: AtomicUsize::new(0),
        refused: AtomicI32::new(0),
        unable: AtomicI32::new(0),
        latency: Latency::default(),
        throttled: AtomicU64::new(0),
    };
    storm.run(options, cpus)?;
    storm.judge(options)
}

/// The CPUs one by one, again and again.
fn around(cpus: &Set) -> impl Iterator<Item = u32> + '_ {
    core::iter::successors(cpus.iter().next(), |cpu| cpus.after(*cpu))
}

impl Storm<'_> {
    fn run(&self, options: &Options, cpus: &Set) -> Verdict {
        let hammers = options.threads;
        let burners = 2 * hammers;
        let before = self.throttled_now()?;
        let made = rseq_rt::thread::scope(|scope| {
            let made = (|| {
                scope.spawn(|| self.latency.watch(&self.is_ready, &self.stop))?;
                while !self.is_ready.load(Relaxed) {
                    time::sleep(MILLISECOND);
                }
                for (thread, cpu) in (0..burners).zip(around(cpus)) {
                    scope.spawn(move || self.checked(self.burn(thread, cpu)))?;
                }
                for cpu in around(cpus).take(hammers as usize) {
                    scope.spawn(move || self.checked(self.hammer(cpu)))?;
                }
                Ok(())
            })();
            if made.is_ok() {
                self.wait(options.nanoseconds, before);
            }
            self.stop.store(true, Relaxed);
            if let Some(groups) = self.groups {
                groups.release();
            }
            made
        });
        made.or_fail("a thread")
    }

    /// Waits for that time, and beyond it for what has to be seen once, up to [`PATIENCE`].
    fn wait(&self, nanoseconds: u64, before: u64) {
        let (deadline, end) = (Deadline::after(nanoseconds), Deadline::after(nanoseconds.max(PATIENCE)));
        let is_seen = || self.aborts.load(Relaxed) > 0 && (self.groups.is_none() || self.throttled.load(Relaxed) > 0);
        while (!deadline.is_past() || !is_seen()) && !end.is_past() && self.unable.load(Relaxed) == 0 {
            time::sleep(10 * MILLISECOND);
            if let Ok(now) = self.throttled_now() {
                self.throttled.store(now - before, Relaxed);
            }
        }
    }

    fn throttled_now(&self) -> Result<u64, Unmet> {
        self.groups.map_or(Ok(0), |groups| groups.throttled().or_fail("cpu.stat"))
    }

    fn checked(&self, done: Result<(), Errno>) {
        if let Err(errno) = done {
            self.unable.store(errno.0, Relaxed);
        }
    }

    /// Counts on `cpu` in sections.
    fn burn(&self, thread: u32, cpu: u32) -> Result<(), Errno> {
        cpu::set_affinity(0, &Set::only(cpu))?;
        if let Some(leaf) = self.groups.and_then(|groups| groups.leaf(thread)) {
            leaf.enter()?;
        }
        let token = rseq_rt::current().ok_or(Errno::EPERM)?;
        let word = self.slots.word(cpu as usize).ok_or(Errno::EINVAL)?;
        let mut delay = Delay::new();
        let (from, to) = delay.ends();
        while !self.stop.load(Relaxed) {
            if ByCpu::value(token) != cpu as usize {
                self.astray.fetch_add(1, Relaxed);
            }
            for _ in 0..ROUNDS {
                // SAFETY: the slot's own word, the delay's ends are locals, and a CPU number is not -1 or -2.
                let result = unsafe { delayed_add(token, cpu as usize, word, 1, from, to, DELAY) };
                let counter = if result.is_ok() { &self.added } else { &self.aborts };
                counter.fetch_add(1, Relaxed);
            }
        }
        Ok(())
    }

    /// Sends fences to `cpu`.
    fn hammer(&self, cpu: u32) -> Result<(), Errno> {
        let mut sent = 0;
        while !self.stop.load(Relaxed) {
            let target = if sent % ONE_IN == 0 { Fence::All } else { Fence::Cpu(cpu) };
            match membarrier_rseq(target) {
                Ok(()) => sent += 1,
                Err(error) => self.refused.store(error.errno().0, Relaxed),
            }
        }
        self.fences.fetch_add(sent, Relaxed);
        Ok(())
    }

    fn judge(&self, options: &Options) -> Verdict {
        let [fences, added, aborts, astray] =
            [&self.fences, &self.added, &self.aborts, &self.astray].map(|count| count.load(Relaxed));
        let (found, throttled) = (self.slots.sum(), self.throttled.load(Relaxed));
        let [idle, longest] = [&self.latency.idle, &self.latency.longest].map(|time| time.load(Relaxed));
        note!("{} threads send {fences} fences; {added} added, {found} found, {aborts} aborts", options.threads);
        note!("throttled in {throttled} periods; latency {} us, {} us before", longest / 1_000, idle / 1_000);
        let [refused, unable] = [&self.refused, &self.unable].map(|errno| Errno(errno.load(Relaxed)));
        ensure!(unable.0 == 0, "a thread could not begin: {unable}");
        ensure!(refused.0 == 0, "a fence failed: {refused}");
        ensure!(astray == 0, "cpu_id was another than that of the thread's only CPU, {astray} times");
        exact::exact(added as u64, found as u64)?;
        in_time!(fences > 0 && added > 0, "{fences} fences and {added} sections before the deadline");
        in_time!(aborts > 0, "no section was aborted before the deadline: the load proves nothing");
        in_time!(self.groups.is_none() || throttled > 0, "nothing was throttled before the deadline");
        let limit = if options.short { LONGEST_EMULATED } else { LONGEST }.max(10 * idle);
        if self.latency.is_first.load(Relaxed) {
            in_time!(longest <= limit, "a thread of SCHED_FIFO was late by {} ms", longest / MILLISECOND);
        }
        Ok(())
    }
}
