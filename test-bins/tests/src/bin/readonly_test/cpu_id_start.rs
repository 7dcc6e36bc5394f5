//! The `cpu_id_start` of a registration of 32 bytes, written by a child: when the kernel's value is back.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize};

use harness::generation::{self, in_registered_child};
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::sys::cpu::{self, Set};
use harness::sys::process::{self, Ending};
use harness::sys::signal::{self, Action};
use harness::sys::time::{Deadline, SECOND};
use harness::{expected, fail, late, skip};
use linux_raw_sys::general::SIGUSR1;
use rseq_core::abi::ORIGINAL_SIZE;
use rseq_core::sys::{Fence, membarrier_query, membarrier_rseq, register_membarrier_rseq};

use crate::codes::{IMPLAUSIBLE, INTERRUPTED, RIGHT, UNMOVED, UNSEEN, WRONG};

/// Old users of 32 bytes write cpu_id_start and count on getting it back.
pub fn back_after_sleep() -> Verdict {
    match generation::rewrite(ORIGINAL_SIZE)? {
        generation::Rewrite::Always => Ok(()),
        generation::Rewrite::OnChange => Err(not_back()?),
        generation::Rewrite::Fatal => Err(fail!("SIGSEGV")),
    }
}

/// As [`back_after_sleep`], in the handler of a signal that is sent right after the write.
pub fn back_in_handler() -> Verdict {
    match after_signal()? {
        Ending::Exited(RIGHT) => Ok(()),
        Ending::Exited(WRONG) => Err(not_back()?),
        Ending::Exited(UNSEEN) => Err(fail!("the handler saw neither the kernel's value nor what was written")),
        other => Err(fail!("{other}")),
    }
}

/// The same at a fence.
pub fn back_at_fence() -> Verdict {
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
static AREA: AtomicUsize = AtomicUsize::new(0);
static SEEN: AtomicU32 = AtomicU32::new(u32::MAX);

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
