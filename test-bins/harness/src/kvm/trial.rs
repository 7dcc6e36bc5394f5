//! KVM_RUNs, or other system calls, of a thread that is moved about: how many, and after which of them cpu_id was
//! wrong.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rseq_core::sys::{Errno, getcpu};
use rseq_core::{OwnArea, Token};
use rseq_rt::println;

use super::migration::{Round, Sequence, migrate};
use crate::ktap::{self, OrFail, Unmet};
use crate::sys::cpu::{self, Set};
use crate::sys::process;
use crate::sys::time::{self, Deadline, MILLISECOND, SECOND};

/// Nanoseconds after the last migration in which KVM_RUN has to come back.
const PATIENCE: u64 = 30 * SECOND;

/// Where a CPU number comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The registered area, after the call.
    Registered,
    /// The registered area, but before the call: the control, as a kernel would have it that forgot the area there.
    Cached,
}

/// A cpu_id that contradicts the kernel.
#[derive(Clone, Copy)]
pub struct Mismatch {
    /// After which call.
    pub run: u64,
    /// What was read before and after the question to the kernel.
    pub cpu_ids: [u32; 2],
    /// The kernel's answer.
    pub kernel: u32,
}

/// What a trial found.
#[derive(Default)]
pub struct Outcome {
    /// Times the thread was sent to the next CPU.
    pub migrations: u32,
    /// Calls.
    pub runs: u64,
    /// Looks that a migration disturbed.
    pub in_vain: u64,
    /// Calls that ended on another CPU than the one before, as the kernel says.
    pub moves: u64,
    /// Calls after which cpu_id was wrong, and stayed so over one more system call.
    pub mismatches: u64,
    /// Calls after which cpu_id was wrong until the next system call.
    pub late: u64,
    /// The first of both kinds.
    pub first: Option<Mismatch>,
    /// How long it took.
    pub nanoseconds: u64,
}

/// What the two threads tell each other.
#[derive(Default)]
struct Shared {
    sequence: Sequence,
    migrated: AtomicBool,
    over: AtomicBool,
}

/// How far a trial goes.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Migrations.
    pub migrations: u32,
    /// Mismatches, the late ones too.
    pub mismatches: u64,
}

/// Repeats `enter`, a system call, in this thread while another one moves it over `cpus`, until a limit is reached.
///
/// # Errors
///
/// A failure of the call or of a move.
pub fn run(
    enter: &mut dyn FnMut() -> Result<(), Unmet>,
    token: Token<'_, OwnArea>,
    source: Source,
    cpus: &Set,
    limits: Limits,
) -> Result<Outcome, Unmet> {
    let began = time::now();
    let shared = Shared::default();
    let tid = process::thread_id();
    // From now on only the other thread moves this one, not the scheduler.
    let first = cpus.iter().next().or_fail("no CPU to run on")?;
    cpu::set_affinity(0, &Set::only(first)).or_fail("sched_setaffinity")?;
    let outcome = rseq_rt::thread::scope(|scope| {
        let mover = scope.spawn(|| move_about(&shared, tid, cpus, limits.migrations)).or_fail("spawn")?;
        let outcome = watch(enter, token, source, limits.mismatches, &shared);
        shared.over.store(true, Relaxed);
        let migrations = mover.join().or_fail("moving the vCPU's thread")?;
        outcome.map(|outcome| Outcome { migrations, nanoseconds: time::now() - began, ..outcome })
    });
    cpu::set_affinity(0, cpus).or_fail("sched_setaffinity")?;
    outcome
}

/// The other thread. It outlasts the last KVM_RUN, and ends the process if that does not come back.
fn move_about(shared: &Shared, tid: u32, cpus: &Set, migrations: u32) -> Result<u32, Errno> {
    // A new thread may run where its creator may, which is on one CPU.
    let moved = cpu::set_affinity(0, cpus)
        .and_then(|()| migrate(&shared.sequence, tid, &Round::over(cpus), migrations, || !shared.over.load(Relaxed)));
    shared.migrated.store(true, Relaxed);
    let deadline = Deadline::after(PATIENCE);
    while !shared.over.load(Relaxed) {
        if deadline.is_past() {
            println!("Bail out! KVM_RUN has not come back {} s after the last migration", PATIENCE / SECOND);
            process::exit(ktap::FAIL);
        }
        time::sleep(MILLISECOND);
    }
    moved
}

/// The thread that is moved: after each call, cpu_id against the kernel.
fn watch(
    enter: &mut dyn FnMut() -> Result<(), Unmet>,
    token: Token<'_, OwnArea>,
    source: Source,
    enough: u64,
    shared: &Shared,
) -> Result<Outcome, Unmet> {
    let mut outcome = Outcome::default();
    let mut last = None;
    while !shared.migrated.load(Relaxed) && outcome.mismatches + outcome.late < enough {
        let cached = token.cpu_id();
        enter()?;
        outcome.runs += 1;
        let claim = || match source {
            Source::Registered => token.cpu_id(),
            Source::Cached => cached,
        };
        // Also before the system call, which is one more chance for the kernel to correct itself.
        let (seen, in_vain) = shared.sequence.stable(|| (claim(), getcpu(), claim()));
        let (before, kernel, after) = (seen.0, seen.1.or_fail("getcpu")?.cpu, seen.2);
        outcome.in_vain += in_vain;
        outcome.moves += u64::from(last.replace(kernel).is_some_and(|last| last != kernel));
        if before != kernel || after != kernel {
            outcome.late += u64::from(after == kernel);
            outcome.mismatches += u64::from(after != kernel);
            outcome.first.get_or_insert(Mismatch { run: outcome.runs, cpu_ids: [before, after], kernel });
        }
    }
    Ok(outcome)
}
