//! The kernel's fields of the area, written by user space: which registrations get them back, and which are killed.
//!
//! The expectations are those of `kernel/rseq.c`. Up to 6.18 every context switch writes all fields. On 6.19 and early
//! 7.0 only a changed ID does. With V2 a 32-byte registration is the first again, and a longer one is killed when an ID
//! changes. rseq debugging kills whatever is found changed.
#![no_std]
#![no_main]

use core::mem::offset_of;
use core::sync::atomic::AtomicU8;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use harness::args::Args;
use harness::debug::Debugging;
use harness::generation::{self, Generation, UNREGISTERED, in_registered_child};
use harness::ktap::{OrFail, Suite, Unmet, Verdict};
use harness::registration;
use harness::sys::cpu::{self, Set};
use harness::sys::process::{self, Ending};
use harness::sys::signal::{self, Action};
use harness::sys::time::{Deadline, SECOND, sleep_away};
use harness::{ensure, expected, fail, group, late, note, program, require, skip, tests};
use linux_raw_sys::general::{SIGSEGV, SIGUSR1};
use rseq_core::abi::{ORIGINAL_SIZE, Rseq};
use rseq_core::sys::{Fence, membarrier_query, membarrier_rseq, register_membarrier_rseq};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "readonly_test: the kernel's fields, written by user space\n\
usage: readonly_test [--short] [--expect GENERATION]\n  \
  --expect GENERATION  the kernel has to be of this one: legacy, optimised or v2\n\
exit codes: 0 pass, 1 fail, 2 expected failure, 4 skip, 64 usage";

/// The fields that only the kernel writes.
const FIELDS: [(&str, usize); 4] = [
    ("cpu_id_start", offset_of!(Rseq, cpu_id_start)),
    ("cpu_id", offset_of!(Rseq, cpu_id)),
    ("node_id", offset_of!(Rseq, node_id)),
    ("mm_cid", offset_of!(Rseq, mm_cid)),
];

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let wanted = options();
    require!(registration::token());
    let switch = Debugging::open();
    if let Ok(switch) = &switch
        && let Err(errno) = switch.set(false)
    {
        note!("rseq/debug stays as it is: {errno}");
    }
    let generation = require!(Generation::probe());
    note!("registrations of this kernel: {}", generation.name());
    let full = rseq_rt::kernel().registration_len();
    let fields = FIELDS.len() as u32;
    tests! {
        "the kernel's generation" => as_expected(generation, wanted),
        group "32 bytes, asleep, signalled or fenced" {
            "cpu_id_start comes back after a sleep" => back_after_sleep(),
            "cpu_id_start is back in a signal handler" => back_in_handler(),
            "cpu_id_start comes back at a fence" => back_at_fence(),
        },
        group "32 bytes, asleep" { suite * fields => sleeps(suite, ORIGINAL_SIZE, generation) },
        group "32 bytes, moved" { suite * fields => moves(suite, ORIGINAL_SIZE, generation, false) },
        group "the full length, asleep" { suite * fields => sleeps(suite, full, generation) },
        group "the full length, moved" { suite * fields => moves(suite, full, generation, false) },
        suite => match switch.as_ref().map(|switch| switch.set(true)) {
            Ok(Ok(())) => group!(suite, DEBUGGED, { suite * fields => moves(suite, full, generation, true) }),
            Ok(Err(errno)) | Err(&errno) => {
                suite.report(format_args!("{DEBUGGED}"), Err(skip!("no switch debugfs rseq/debug: {errno}")));
            }
        },
    }
}

const DEBUGGED: &str = "rseq debugging on, moved";

/// The generation that has to be found, if the caller knows it.
fn options() -> Option<Generation> {
    let mut wanted = None;
    let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
    while let Some(option) = args.next_option() {
        match option {
            "--short" => {}
            "--expect" => {
                let name = args.value(option);
                wanted = Generation::called(name);
                if wanted.is_none() {
                    args.refuse(format_args!("--expect takes legacy, optimised or v2, not '{name}'"));
                }
            }
            other => args.unknown(other),
        }
    }
    wanted
}

/// The tests below judge the kernel by its behaviour, and take one that no longer enforces anything for an older one.
fn as_expected(found: Generation, wanted: Option<Generation>) -> Verdict {
    let wanted = wanted.ok_or_else(|| skip!("--expect was not given"))?;
    if found == Generation::Debugged {
        return Err(skip!("rseq debugging cannot be switched off"));
    }
    ensure!(found == wanted, "it is {}, not {}", found.name(), wanted.name());
    Ok(())
}

/// Old users of 32 bytes write cpu_id_start and count on getting it back.
fn back_after_sleep() -> Verdict {
    match generation::rewrite(ORIGINAL_SIZE)? {
        generation::Rewrite::Always => Ok(()),
        generation::Rewrite::OnChange => Err(not_back()?),
        generation::Rewrite::Fatal => Err(fail!("SIGSEGV")),
    }
}

/// As [`back_after_sleep`], in the handler of a signal that is sent right after the write.
fn back_in_handler() -> Verdict {
    match after_signal()? {
        Ending::Exited(RIGHT) => Ok(()),
        Ending::Exited(WRONG) => Err(not_back()?),
        Ending::Exited(UNSEEN) => Err(fail!("the handler saw neither the kernel's value nor what was written")),
        other => Err(fail!("{other}")),
    }
}

/// The same at a fence.
fn back_at_fence() -> Verdict {
    match after_fence()? {
        Ending::Exited(RIGHT) => Ok(()),
        Ending::Exited(WRONG) => Err(not_back()?),
        Ending::Exited(UNSEEN) => Err(fail!("it came back at some fences, and not at each")),
        Ending::Exited(INTERRUPTED) => Err(late!("the thread was switched away in nearly every fence")),
        other => Err(fail!("{other}")),
    }
}

/// A legacy registration that is not updated is an error, except where the kernel has no other behaviour (6.19).
fn not_back() -> Result<Unmet, Unmet> {
    if !generation::unregistering_leaves_no_cpu()? {
        return Err(fail!("it stayed as written, though this kernel is not of 6.19's kind"));
    }
    Ok(expected!("only an ID that changes brings it back (6.19)"))
}

/// The child's area, for its handler.
static AREA: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
static SEEN: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(u32::MAX);

extern "C" fn look(_: i32) {
    let field = AREA.load(Relaxed) as *const u32;
    // SAFETY: the first word of the child's area, set before the signal was sent.
    SEEN.store(unsafe { field.read_volatile() }, Relaxed);
}

/// What a handler sees of a field that was written before its signal: [`RIGHT`], [`WRONG`] or, were it never to run,
/// [`UNSEEN`].
fn after_signal() -> Result<Ending, Unmet> {
    let cpu = cpu::affinity(0).or_fail("sched_getaffinity")?.iter().next().or_fail("a CPU")?;
    in_registered_child(ORIGINAL_SIZE, 10 * SECOND, &mut |area| {
        let field = area.cast::<u32>();
        AREA.store(field as usize, Relaxed);
        if cpu::set_affinity(0, &Set::only(cpu)).is_err() || signal::set(SIGUSR1, Action::Handler(look)).is_err() {
            return UNMOVED;
        }
        // SAFETY: the first word of the child's registered area.
        unsafe { field.write_volatile(cpu ^ IMPLAUSIBLE) };
        if signal::send(process::id(), process::thread_id(), SIGUSR1).is_err() {
            return UNMOVED;
        }
        match SEEN.load(Relaxed) {
            seen if seen == cpu => RIGHT,
            seen if seen == cpu ^ IMPLAUSIBLE => WRONG,
            _ => UNSEEN,
        }
    })
}

/// What a thread sees of a field that it wrote, after each fence that another thread sends to its CPU.
fn after_fence() -> Result<Ending, Unmet> {
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let first = allowed.iter().next().or_fail("a CPU")?;
    let other = allowed.after(first).filter(|cpu| *cpu != first).ok_or_else(|| skip!("only one CPU"))?;
    if !membarrier_query().is_ok_and(|commands| commands.has_rseq()) {
        return Err(skip!("membarrier has no rseq fence here (Linux 5.10)"));
    }
    in_registered_child(ORIGINAL_SIZE, 20 * SECOND, &mut |area| {
        let turn = AtomicU8::new(FENCED);
        if register_membarrier_rseq().is_err() || cpu::set_affinity(0, &Set::only(first)).is_err() {
            return UNMOVED;
        }
        rseq_rt::thread::scope(|scope| {
            let sender = scope.spawn(|| sends_fences(&turn, other, first));
            let code = sender.map_or(UNMOVED, |_| waits_for_fences(&turn, area.cast(), first));
            turn.store(ENDED, Release);
            code
        })
    })
}

/// Whose turn it is: the field is written and a fence is due; the fence is over; a call failed; no more fences.
const WRITTEN: u8 = 0;
const FENCED: u8 = 1;
const FAILED: u8 = 2;
const ENDED: u8 = 3;

fn sends_fences(turn: &AtomicU8, from: u32, to: u32) {
    let has_moved = cpu::set_affinity(0, &Set::only(from)).is_ok();
    while turn.load(Acquire) != ENDED {
        if turn.load(Acquire) == WRITTEN {
            let is_sent = has_moved && membarrier_rseq(Fence::Cpu(to)).is_ok();
            let next = if is_sent { FENCED } else { FAILED };
            let _ = turn.compare_exchange(WRITTEN, next, AcqRel, Relaxed);
        }
    }
}

/// Fences that have to find the thread running. Not all that bring the field back are ours: the kernel's work on
/// concurrency IDs sends some, ten times a second (6.18).
const FENCES: u32 = 25;

/// [`RIGHT`] if each fence brings the field back before it is over, [`WRONG`] if most do not, else [`UNSEEN`].
///
/// A fence does not interrupt a thread that is switched away; the switch itself brings the field back then, which shows
/// nothing.
fn waits_for_fences(turn: &AtomicU8, field: *mut u32, cpu: u32) -> u8 {
    let deadline = Deadline::after(15 * SECOND);
    let (mut back, mut kept) = (0, 0);
    while back + kept < FENCES {
        let before = process::context_switches();
        // SAFETY: the first word of the child's registered area.
        unsafe { field.write_volatile(cpu ^ IMPLAUSIBLE) };
        turn.store(WRITTEN, Release);
        while (0..100_000).all(|_| turn.load(Acquire) == WRITTEN) {
            if deadline.is_past() {
                return INTERRUPTED;
            }
        }
        // SAFETY: as above.
        let is_back = unsafe { field.read_volatile() } == cpu;
        if turn.load(Acquire) == FAILED {
            return UNMOVED;
        }
        if deadline.is_past() {
            return INTERRUPTED;
        }
        if before.is_ok() && process::context_switches() == before {
            *if is_back { &mut back } else { &mut kept } += 1;
        }
    }
    match kept {
        0 => RIGHT,
        _ if kept > back => WRONG,
        _ => UNSEEN,
    }
}

fn moves(suite: &mut Suite, length: u32, generation: Generation, debug: bool) {
    for (name, offset) in FIELDS {
        suite.test(name, &mut || written(length, offset, generation, debug));
    }
}

fn sleeps(suite: &mut Suite, length: u32, generation: Generation) {
    for (name, offset) in FIELDS {
        suite.test(name, &mut || written_and_asleep(length, offset, generation));
    }
}

fn maintained(offset: usize) -> Verdict {
    if (rseq_rt::kernel().active_size() as usize) < offset + size_of::<u32>() {
        return Err(skip!("this kernel does not maintain the field (Linux 6.3)"));
    }
    Ok(())
}

fn written(length: u32, offset: usize, generation: Generation, debug: bool) -> Verdict {
    maintained(offset)?;
    let killed = debug || generation == Generation::Debugged || generation == Generation::V2 && length > ORIGINAL_SIZE;
    let expected = if killed { Ending::Killed(SIGSEGV) } else { Ending::Exited(RIGHT) };
    let ending = written_and_moved(length, offset)?;
    ensure!(ending == expected, "{ending}, expected {expected}");
    Ok(())
}

/// Sleeping on one CPU need not change an ID: no kernel kills for it each time. Where every context switch writes the
/// fields, they come back.
fn written_and_asleep(length: u32, offset: usize, generation: Generation) -> Verdict {
    maintained(offset)?;
    let back = match generation {
        Generation::Debugged => return Err(skip!("rseq debugging cannot be switched off")),
        Generation::Legacy => true,
        Generation::Optimised => false,
        Generation::V2 => length == ORIGINAL_SIZE,
    };
    let expected = Ending::Exited(if back { RIGHT } else { WRONG });
    let mut ending = written_and(length, offset, None)?;
    // The thread's concurrency ID may change while it sleeps, and that makes a kernel look that would not have.
    for _ in 0..4 {
        if !back && ending != expected {
            ending = written_and(length, offset, None)?;
        }
    }
    ensure!(ending == expected, "{ending}, expected {expected} (0: the kernel's value, 1: what was written)");
    Ok(())
}

/// Turns an ID into one that no machine of these tests has.
const IMPLAUSIBLE: u32 = 1 << 20;

const RIGHT: u8 = 0;
const WRONG: u8 = 1;
const UNMOVED: u8 = 2;
const UNWRITTEN: u8 = 3;
const UNSEEN: u8 = 4;
const INTERRUPTED: u8 = 5;

/// A child writes the field, sleeps, and moves to another CPU: [`RIGHT`] if the kernel's values are all back then.
fn written_and_moved(length: u32, offset: usize) -> Result<Ending, Unmet> {
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let first = allowed.iter().next().or_fail("a CPU")?;
    let other = allowed.after(first).filter(|cpu| *cpu != first).ok_or_else(|| skip!("only one CPU"))?;
    written_and(length, offset, Some(other))
}

/// A child on the first CPU writes the field and sleeps, and then moves if there is a CPU to move to: [`RIGHT`] if the
/// kernel's values are all back then, [`WRONG`] if what it wrote is still there.
fn written_and(length: u32, offset: usize, other: Option<u32>) -> Result<Ending, Unmet> {
    let first = cpu::affinity(0).or_fail("sched_getaffinity")?.iter().next().or_fail("a CPU")?;
    let ending = in_registered_child(length, 10 * SECOND, &mut |area| {
        if cpu::set_affinity(0, &Set::only(first)).is_err() {
            return UNMOVED;
        }
        let field = area.cast::<u32>().wrapping_byte_add(offset);
        // SAFETY: a word of the child's registered area.
        let wrong = unsafe { field.read_volatile() } ^ IMPLAUSIBLE;
        // SAFETY: as above.
        if !unsafe { generation::overwrite(field, wrong) } {
            return UNWRITTEN;
        }
        sleep_away();
        if other.is_some_and(|other| cpu::set_affinity(0, &Set::only(other)).is_err()) {
            return UNMOVED;
        }
        // SAFETY: as above.
        let repaired = unsafe { field.read_volatile() } != wrong;
        // SAFETY: words of the child's registered area; volatile, as the kernel writes them.
        let ids =
            unsafe { [(&raw const (*area).cpu_id_start).read_volatile(), (&raw const (*area).cpu_id).read_volatile()] };
        if repaired && ids == [other.unwrap_or(first); 2] { RIGHT } else { WRONG }
    })?;
    match ending {
        Ending::Exited(UNREGISTERED) => Err(fail!("the child could not register {length} bytes")),
        Ending::Exited(UNMOVED) => Err(fail!("the child could not change its CPU")),
        Ending::Exited(UNWRITTEN) => Err(fail!("what the child wrote was gone at once")),
        ending => Ok(ending),
    }
}
