//! One CPU for two threads: this one, and one that sleeps, wakes and wants the CPU.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use harness::index::Here;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::options::PATIENCE;
use harness::sys::cpu::{self, Set};
use harness::sys::time::{self, Deadline, MICROSECOND, sleep};
use harness::{fail, late};
use rseq_core::{SliceGuard, SliceOutcome};

/// Both threads' CPU and pace.
pub struct Share<'a> {
    /// This thread.
    pub token: Here,
    /// The other one.
    pub noise: &'a Noise,
    pace: u64,
}

/// The other thread.
pub struct Noise {
    stop: AtomicBool,
    turns: AtomicUsize,
}

impl Noise {
    /// How often it has had the CPU.
    pub fn turns(&self) -> usize {
        self.turns.load(Relaxed)
    }

    fn run(&self, pace: u64) {
        while !self.stop.load(Relaxed) {
            self.turns.fetch_add(1, Relaxed);
            spin(2 * pace);
            sleep(50 * MICROSECOND);
        }
    }
}

/// Counts on the CPU, without system calls: those give a grant up.
fn spin(turns: u64) {
    (0..turns).for_each(|turn| _ = core::hint::black_box(turn));
}

/// Turns of [`spin`] in a microsecond: the most of several looks, so that a time comes out too long rather than too
/// short.
fn pace() -> u64 {
    const TURNS: u64 = 1 << 14;
    let took = |_| {
        let began = time::now();
        spin(TURNS);
        time::now() - began
    };
    let least = (0..16).map(took).min().unwrap_or(1).max(1);
    (TURNS * MICROSECOND / least).max(1)
}

/// Runs `test` on the last CPU that this process may use: the first one has more interrupts. All CPUs come back after
/// it.
pub fn on_shared_cpu(token: Here, test: &mut dyn FnMut(&Share<'_>) -> Verdict) -> Verdict {
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let last = allowed.iter().last().or_fail("a CPU")?;
    cpu::set_affinity(0, &Set::only(last)).or_fail("sched_setaffinity")?;
    let pace = pace();
    let noise = Noise { stop: AtomicBool::new(false), turns: AtomicUsize::new(0) };
    // A new thread runs where its maker may.
    let verdict = rseq_rt::thread::scope(|scope| {
        scope.spawn(|| noise.run(pace)).or_fail("a thread")?;
        let verdict = test(&Share { token, noise: &noise, pace });
        noise.stop.store(true, Relaxed);
        verdict
    });
    cpu::set_affinity(0, &allowed).or_fail("sched_setaffinity")?;
    verdict
}

impl Share<'_> {
    /// Spends so much time on the CPU.
    pub fn microseconds(&self, time: u64) {
        spin(time * self.pace);
    }

    /// Gives `take` one granted guard after the other until it has seen enough; that it does not is a failure.
    pub fn until(&self, take: &mut dyn FnMut(SliceGuard<'_>) -> bool) -> Verdict {
        let deadline = Deadline::after(PATIENCE);
        let (mut granted, mut unused, mut revoked) = (0u32, 0u32, 0u32);
        // Reading the clock is a system call, which ends the effects of an earlier grant in the kernel.
        while !deadline.is_past() {
            let guard = SliceGuard::request(self.token);
            if self.is_granted_soon(&guard) {
                granted += 1;
                if take(guard) {
                    return Ok(());
                }
                continue;
            }
            match guard.end() {
                SliceOutcome::Unused => unused += 1,
                SliceOutcome::Revoked => revoked += 1,
                SliceOutcome::Yielded | SliceOutcome::YieldedLate => granted += 1,
                other => return Err(fail!("a request came to {other:?}")),
            }
        }
        Err(not_seen(granted, unused, revoked))
    }

    fn is_granted_soon(&self, guard: &SliceGuard<'_>) -> bool {
        (0..1000).any(|_| {
            self.microseconds(1);
            guard.is_granted()
        })
    }
}

#[cold]
fn not_seen(granted: u32, unused: u32, revoked: u32) -> Unmet {
    late!("not seen before the deadline: {granted} requests granted, {unused} unused, {revoked} revoked ungranted")
}
