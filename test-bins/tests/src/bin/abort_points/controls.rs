//! Sections that are wrong on purpose, and descriptors made wrong: each has to be found out, for the right reason.

use core::hint::black_box;

use harness::forced::case::{Case, case};
use harness::forced::operations::operations;
use harness::forced::run::{Trial, Wrong};
use harness::forced::scene::{COUNT, NEW, Own, START, STRIDE, Stage};
use harness::forced::section::{Section, make_writable};
use harness::forced::{arch, breakpoint};
use harness::index::Here;
use harness::ktap::{OrFail, Suite, Verdict};
use harness::sys::process::{self, Ending};
use harness::sys::time::SECOND;
use harness::{ensure, fail, skip};
use linux_raw_sys::general::SIGSEGV;
use rseq_core::{Aborted, ByCpu, Committed, OutOfRange, OwnArea, critical_section};

/// How many there are.
pub const CONTROLS: u32 = 8;

type Add<'t> = Trial<'t, 'static, OwnArea, ByCpu>;

mod unarmed {
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__this_cpu_sections!(#![unarmed]);
}

/// Called by its address only.
static UNARMED: unsafe fn(Here, *mut usize, usize, usize) -> Result<Committed, OutOfRange> =
    unarmed::add::<STRIDE, _, _>;

critical_section! {
    #![unchecked]

    /// Stores in `v` before it commits to `v`.
    ///
    /// # Errors
    ///
    /// [`Aborted`].
    ///
    /// # Safety
    ///
    /// `v` is a valid word.
    unsafe fn published_early(cpu: usize, v: *mut usize, newv: usize) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(old) abort(Aborted);
        check_index(cpu) else Aborted;
        load(old, [v]);
        repeatable store([v], newv);
        commit store([v], newv);
    }

    /// Takes the slot that the caller chose, and compares nothing.
    ///
    /// # Errors
    ///
    /// [`Aborted`].
    ///
    /// # Safety
    ///
    /// `v` is a valid word.
    unsafe fn not_compared(v: *mut usize, count: usize) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(i) abort(Aborted);
        load_index(i);
        commit add([v], count);
    }

    /// Adds up in a register that a restart finds used.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`].
    ///
    /// # Safety
    ///
    /// `base` is the first of `len` slots of `STRIDE` bytes. `sum` is changed in a register that was passed as an
    /// input: the caller's copy of it is void afterwards.
    unsafe fn register_reused(base: *mut usize, len: usize, sum: usize) -> Result<Committed, OutOfRange> {
        exits(OutOfRange) scratch(i, old) abort(restart) stride(STRIDE);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, STRIDE);
        load(old, [base + i]);
        add(sum, old);
        commit store([base + i], sum);
    }

    /// Loads for nothing, twice: where [`flags_changed`] puts other instructions.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`].
    ///
    /// # Safety
    ///
    /// `base` is the first of `len` slots of `STRIDE` bytes.
    unsafe fn loads_for_nothing(base: *mut usize, len: usize, count: usize) -> Result<Committed, OutOfRange> {
        exits(OutOfRange) scratch(i, old) abort(restart) stride(STRIDE);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, STRIDE);
        add(i, base);
        load(old, [i]);
        load(old, [i]);
        load(old, [i]);
        add(old, count);
        commit store([i], old);
    }
}

fn start(_: &Own, _: u8) -> [usize; 2] {
    [START, 0]
}

fn sum(_: &Own) -> usize {
    START + COUNT
}

fn new(_: &Own) -> usize {
    NEW
}

fn any(_: &Own) -> bool {
    true
}

/// The control cases: unarmed, published early, not compared, register reused, flags changed.
#[rustfmt::skip]
fn wrong_cases() -> [Case<'static, OwnArea, ByCpu>; 5] {
    [
        case!("unarmed", Here compares 0 scratch 1 takes 0, [start] => [sum] [any]
            |s| black_box(UNARMED)(s.token, s.base, s.len, COUNT)),
        case!("published early", Caller compares 0 scratch 1 takes 0, [start] => [new] [any]
            |s| published_early(s.token, s.at, s.word, NEW)),
        case!("not compared", Caller compares 0 scratch 1 takes 0, [start] => [sum] [any]
            |s| not_compared(s.token, s.word, COUNT)),
        case!("register reused", Here compares 0 scratch 2 takes 0, [start] => [sum] [any]
            |s| register_reused::<STRIDE, _, _>(s.token, s.base, s.len, black_box(COUNT))),
        case!("flags changed", Here compares 0 scratch 2 takes 0, [start] => [sum] [any]
            |s| loads_for_nothing::<STRIDE, _, _>(s.token, s.base, s.len, COUNT)),
    ]
}

/// Runs all controls; `claim` takes each section that one of them runs.
pub fn run(suite: &mut Suite, stage: &Stage, token: Here, claim: &mut dyn FnMut(&Section)) {
    let good = operations::<OwnArea, ByCpu>().find(|case| case.name == "add");
    let wrong = wrong_cases();
    let trial = |case| Add { case, stage, token };
    let add = good.as_ref().map(trial);
    let [unarmed, early, uncompared, reused, flags] = wrong.each_ref().map(trial);
    report(suite, "descriptor not stored", unarmed_control(&unarmed, claim));
    let mut spoiled = |name, control: fn(&Add) -> Verdict| {
        report(suite, name, add.as_ref().or_fail("add").and_then(control));
    };
    spoiled("post-commit offset one instruction too long", too_long);
    spoiled("post-commit offset one instruction too short", too_short);
    spoiled("wrong signature", wrong_signature);
    for (name, trial, expected) in [
        ("published store before the commit", &early, Wrong::PublishedEarly),
        ("index loaded before the section and not compared", &uncompared, Wrong::NotReported),
        ("scratch register reused across a restart", &reused, Wrong::Result),
    ] {
        let verdict = trial.find().and_then(|section| {
            claim(&section);
            caught(trial, &section, expected)
        });
        report(suite, name, verdict);
    }
    report(suite, "flags that have to stay changed", flags_changed(&flags, claim));
}

fn report(suite: &mut Suite, name: &str, verdict: Verdict) {
    suite.report(format_args!("control caught: {name}"), verdict);
}

/// The section must fail, and for the expected reason.
fn caught(trial: &Add, section: &Section, expected: Wrong) -> Verdict {
    match trial.every_point(section)? {
        Ok(_) => Err(fail!("not caught")),
        Err(fault) => {
            ensure!(fault.wrong == expected, "caught for another reason: {fault}");
            harness::note!("{}: {fault}", trial.case.name);
            Ok(())
        }
    }
}

fn unarmed_control(trial: &Add, claim: &mut dyn FnMut(&Section)) -> Verdict {
    let section = Section::unarmed(UNARMED as usize)?;
    claim(&section);
    caught(trial, &section, Wrong::NotAborted)
}

/// The section changes a flag and changes it back: only an abort between the two shows it.
fn flags_changed(trial: &Add, claim: &mut dyn FnMut(&Section)) -> Verdict {
    let section = trial.find()?;
    claim(&section);
    let changes = arch::flag_changes().ok_or_else(|| skip!("no instruction changes flags that have to stay"))?;
    let is_twice = |points: &&[usize]| {
        let [first, second, behind] = **points else { return false };
        behind - second == second - first
            && (first..second).all(|at| arch::code::<1>(at) == arch::code(at + second - first))
    };
    let loads = section.points().windows(3).find(is_twice).or_fail("two equal instructions")?;
    for (load, change) in loads.iter().zip(changes) {
        breakpoint::patch(*load, &change[..loads[1] - loads[0]]);
    }
    caught(trial, &section, Wrong::Flags)
}

/// Gives the section's descriptor another length, for as long as `body` runs.
fn with_end(section: &Section, end: usize, body: impl FnOnce() -> Verdict) -> Verdict {
    // SAFETY: descriptors have been made writable, and the only thread runs no section at this moment. Volatile,
    // because the kernel reads it.
    let set = |end: usize| unsafe {
        (&raw mut (*section.descriptor).post_commit_offset).write_volatile((end - section.start) as u64);
    };
    set(end);
    let verdict = body();
    set(section.end);
    verdict
}

fn too_long(trial: &Add) -> Verdict {
    let section = trial.find()?;
    let length = arch::length(&arch::code(section.end)).or_fail("an unknown instruction after the section")?;
    let behind = section.end + length.max(arch::BEHIND + 1);
    with_end(&section, behind, || caught(trial, &section, Wrong::AbortedOutside))
}

fn too_short(trial: &Add) -> Verdict {
    let section = trial.find()?;
    with_end(&section, section.last(), || caught(trial, &section, Wrong::NotAborted))
}

/// The kernel kills the thread when it is to abort the section.
fn wrong_signature(trial: &Add) -> Verdict {
    let section = trial.find()?;
    let ending = process::in_child(20 * SECOND, &mut || {
        // SAFETY: the text around abort handlers has been made writable, and this process has its own copy of it.
        unsafe { (section.abort as *mut u8).sub(1).write_volatile(!arch::code::<1>(section.abort - 1)[0]) };
        match trial.every_point(&section) {
            Ok(Ok(_)) => 0,
            Ok(Err(_)) => 1,
            Err(_) => 2,
        }
    });
    make_writable()?;
    match ending.or_fail("fork")? {
        Ending::Killed(SIGSEGV) => Ok(()),
        other => Err(fail!("{other}, expected: SIGSEGV")),
    }
}
