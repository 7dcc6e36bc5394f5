//! Sections in a thread that is not registered, or no longer: each says so, touches nothing, and ends.
//!
//! The runtime registers no thread (`RSEQ_RT=off`), for which the program executes itself.
#![no_std]
#![no_main]

mod refusals;
mod scene;

use harness::args;
use harness::forced;
use harness::forced::case::{Case, Ended, Family};
use harness::forced::scene::{Scene as CaseScene, Stage};
use harness::index::{ByCpu, ByMmCid, Choice, Here};
use harness::ktap::{OrFail, Reason, Unmet, Verdict};
use harness::slots::{self, STRIDE};
use harness::sys::memory::Mapping;
use harness::sys::process::{Ending, in_child};
use harness::sys::time::SECOND;
use harness::{ensure, fail, note, program, reexec, registration, require, tests};
use rseq_core::ops::this_cpu;
use rseq_core::percpu::{IndexError, PossibleCpus, Private, PushError, SlotCounter, SlotPool, Slots, UniqueIn};
use rseq_core::{Index, OwnArea, RegisterError, Registration, Token, abi, arch};
use rseq_rt::process::ExitCode;

use scene::Scene;

rseq_rt::entry!(main);

const USAGE: &str = "unregistered_test: sections in threads without a registration\n\
usage: unregistered_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    args::only_short(USAGE);
    require!(reexec::by_hand().and_then(|()| registers()));
    note!("registering by hand: {:?}", reexec::asked_mode());
    tests! {
        "a thread without a registration has no token" => no_token(),
        "nor has a new thread" => in_new_thread(no_token),
        "its area holds no CPU and no concurrency ID" => area_is_empty(),
        "nothing can be adopted" => nothing_to_adopt(),
        "by cpu_id, stale proofs are turned away" => guarded(&mut turned_away::<ByCpu>),
        "by mm_cid, stale proofs are turned away" => guarded(&mut turned_away::<ByMmCid>),
        "after a release nothing is left in the area" => guarded(&mut released_is_empty),
        "a thread registers, works and releases by itself" => in_new_thread(by_itself),
        group "a refusal changes nothing" {
            "where the program gave the area" => guarded(&mut refusals::after_at),
            "where the own area is registered" => guarded(&mut refusals::after_own),
            "where an unknown owner has registered" => guarded(&mut refusals::after_others),
            "under a filter" => guarded(&mut refusals::under_a_filter),
            "nor does another thread change the active size" => guarded(&mut refusals::active_size_stays),
            "a legacy registration first changes no active size" => guarded(&mut refusals::active_size_in_any_order),
            "a flag that the kernel does not know is reported" => guarded(&mut refusals::slice_flag),
            "a fallback to 32 bytes is reported" => guarded(&mut refusals::fallback_is_told),
        },
    }
}

/// Runs `check` in a child that is killed if it spins, and passes on what it says.
fn guarded(check: &mut dyn FnMut() -> Verdict) -> Verdict {
    const SKIPPED: u8 = 4;
    const FAILED: u8 = 1;
    let memory = Mapping::shared(size_of::<Reason>()).or_fail("shared memory")?;
    let reason = memory.slot::<Reason>(0).or_fail("room for a reason")?;
    let tell = |why: Reason, code| {
        // SAFETY: the mapping has room for a reason, and the parent reads it only after the child's end.
        unsafe { reason.write(why) };
        code
    };
    let ending = in_child(20 * SECOND, &mut || match check() {
        Ok(()) => 0,
        Err(Unmet::Skip(why)) => tell(why, SKIPPED),
        Err(Unmet::Fail(why) | Unmet::TimedOut(why) | Unmet::Expected(why) | Unmet::Unexpected(why)) => {
            tell(why, FAILED)
        }
    })
    .or_fail("fork")?;
    // SAFETY: a reason, as a child that ends with one of the two codes has left one there.
    let why = || unsafe { reason.read() };
    match ending {
        Ending::Exited(0) => Ok(()),
        Ending::Exited(SKIPPED) => Err(Unmet::Skip(why())),
        Ending::Exited(FAILED) => Err(Unmet::Fail(why())),
        other => Err(fail!("the child: {other}")),
    }
}

fn in_new_thread(check: fn() -> Verdict) -> Verdict {
    rseq_rt::thread::spawn(check).or_fail("a thread")?.join()
}

fn no_token() -> Verdict {
    ensure!(rseq_rt::current().is_none(), "current() gives a token");
    ensure!(OwnArea::current().is_none(), "OwnArea::current() gives a token");
    Ok(())
}

/// cpu_id and mm_cid of this thread's own area.
fn ids() -> (u32, u32) {
    let area = arch::own_area().as_ptr();
    // SAFETY: this thread's own area, static thread-local memory; volatile, as the kernel may write it.
    unsafe { ((&raw const (*area).cpu_id).read_volatile(), (&raw const (*area).mm_cid).read_volatile()) }
}

fn area_is_empty() -> Verdict {
    let (cpu_id, mm_cid) = ids();
    ensure!(cpu_id == abi::CPU_ID_UNINITIALIZED, "cpu_id is {cpu_id}, not -1");
    ensure!(mm_cid == u32::MAX, "mm_cid is {mm_cid}, not -1");
    Ok(())
}

fn nothing_to_adopt() -> Verdict {
    let adopted = Registration::adopt().map(|_| ());
    ensure!(adopted == Err(RegisterError::NothingToAdopt), "adopting did not say that there is nothing to adopt");
    Ok(())
}

/// Proofs of a registration that has ended, and what `work` did while it lasted.
fn stale<C: Choice, T>(work: impl FnOnce(Here<C>) -> T) -> Result<(Here<C>, T), Unmet> {
    // SAFETY: released below, in the same thread.
    let registration = unsafe { Registration::<OwnArea>::own(reexec::asked_mode()) }.map_err(registration::refused)?;
    let token: Token<'static, OwnArea> = OwnArea::current().or_fail("no token after registering")?;
    let token = C::of(token);
    let done = token.map(|token| (token, work(token)));
    registration.release().map_err(|error| fail!("releasing: {error}"))?;
    done
}

fn registers() -> Verdict {
    stale::<ByCpu, _>(|_| ()).map(|_| ())
}

fn turned_away<C: Choice + UniqueIn<Private>>() -> Verdict {
    let scene = Scene::new()?;
    // SAFETY: the only calls.
    let ((heads, nodes), words) = unsafe { (scene.for_a_pool(), scene.for_a_counter()) };
    let cpus = PossibleCpus::read().or_fail("the possible CPUs")?;
    let pool = SlotPool::<usize, C, STRIDE>::over(heads, &cpus, nodes).ok().or_fail("a pool")?;
    let counter = SlotCounter::new(Slots::<C, STRIDE>::new(words, &cpus).ok().or_fail("a counter")?);
    let (token, item) = stale::<C, _>(|token| pool.pop(token))?;
    let item = item.ok().flatten().or_fail("a node of the pool")?;
    let before = scene.fingerprint();
    operations(token)?;
    ensure!(counter.add(token, 1) == Err(IndexError::NotRegistered), "a counter counted");
    ensure!(matches!(pool.pop(token), Err(IndexError::NotRegistered)), "a pool gave something");
    let refused = pool.push(token, item).map_err(|(error, _)| error);
    ensure!(refused == Err(PushError::Index(IndexError::NotRegistered)), "a pool took something");
    ensure!(scene.fingerprint() == before, "memory was written");
    Ok(())
}

/// Every operation, where it would commit in a thread that is registered. `add_unchecked` is none of them: its caller
/// is registered.
fn operations<I: Index>(token: Here<I>) -> Verdict {
    let stage = Stage::new()?;
    for case in forced::operations::operations::<OwnArea, I>() {
        match case.family {
            Family::Caller => aimed(&stage, &case, token)?,
            Family::Here => below_no_length(&stage, &case, token)?,
            Family::Unchecked | Family::Pinned => {}
        }
    }
    Ok(())
}

/// In each slot: the one of the stale index is among them.
fn aimed<I: Index>(stage: &Stage, case: &Case<'static, OwnArea, I>, token: Here<I>) -> Verdict {
    (0..stage.slots()).try_for_each(|at| {
        let ended = ended_without_a_trace(stage, case, || case.scene(stage, token, at, stage.slots(), 0))?;
        ensure!(ended == Ended::Aborted, "{} in slot {at}: {ended:?}", case.name);
        Ok(())
    })
}

/// There is a slot before `base`: the -1 of an unregistered thread would be its number.
fn below_no_length<I: Index>(stage: &Stage, case: &Case<'static, OwnArea, I>, token: Here<I>) -> Verdict {
    for len in [1, i32::MAX as usize, i32::MAX as usize + 1, u32::MAX as usize, usize::MAX >> 1, usize::MAX] {
        let ended = ended_without_a_trace(stage, case, || CaseScene {
            base: stage.word(1),
            ..case.scene(stage, token, 1, len, 0)
        })?;
        ensure!(ended == Ended::OutOfRange, "{} with a length of {len}: {ended:?}", case.name);
    }
    Ok(())
}

/// Calls an operation, which must write neither to a slot nor to the thread's own memory.
fn ended_without_a_trace<I: Index>(
    stage: &Stage,
    case: &Case<'static, OwnArea, I>,
    scene: impl Fn() -> CaseScene<'static, OwnArea, I>,
) -> Result<Ended, Unmet> {
    stage.reset(|own| (case.start)(own, 0));
    let scene = scene();
    // SAFETY: the stage's own memory, to which there is no reference. Volatile, because sections write it without the
    // compiler's knowledge.
    let own = || unsafe { stage.own().read_volatile() };
    let before = own();
    let ended = (case.call)(&scene);
    ensure!(stage.published([0, 0]).is_untouched() && own() == before, "{}: memory was written", case.name);
    Ok(ended)
}

fn released_is_empty() -> Verdict {
    registers()?;
    area_is_empty()?;
    no_token()
}

fn by_itself() -> Verdict {
    // SAFETY: released below, in the same thread.
    let registration =
        unsafe { Registration::<OwnArea>::own(reexec::asked_mode()) }.map_err(|error| fail!("registering: {error}"))?;
    let slots = slots::Slots::new().or_fail("memory for the slots")?;
    let token = registration.token();
    for _ in 0..1000 {
        // SAFETY: base and count are the slots'.
        let added = unsafe { this_cpu::add::<STRIDE, OwnArea, ByCpu>(token, slots.base(), slots.count(), 1) };
        ensure!(added.is_ok(), "a section of a registered thread was turned away");
    }
    ensure!(slots.sum() == 1000, "1000 added but {} found", slots.sum());
    registration.release().map_err(|error| fail!("releasing: {error}"))?;
    area_is_empty()
}
