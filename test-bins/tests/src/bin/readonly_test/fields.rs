//! Each field, written by a child that then sleeps, and moves to another CPU.

use core::mem::offset_of;

use harness::generation::{self, Generation, UNREGISTERED, in_registered_child};
use harness::ktap::{OrFail, Suite, Unmet, Verdict};
use harness::sys::cpu::{self, Set};
use harness::sys::process::Ending;
use harness::sys::time::{SECOND, sleep_away};
use harness::{ensure, fail, skip};
use linux_raw_sys::general::SIGSEGV;
use rseq_core::abi::{ORIGINAL_SIZE, Rseq};

use crate::codes::{IMPLAUSIBLE, RIGHT, UNMOVED, UNWRITTEN, WRONG};

/// The fields that only the kernel writes.
pub const FIELDS: [(&str, usize); 4] = [
    ("cpu_id_start", offset_of!(Rseq, cpu_id_start)),
    ("cpu_id", offset_of!(Rseq, cpu_id)),
    ("node_id", offset_of!(Rseq, node_id)),
    ("mm_cid", offset_of!(Rseq, mm_cid)),
];

pub fn moves(suite: &mut Suite, length: u32, generation: Generation, debug: bool) {
    for (name, offset) in FIELDS {
        suite.test(name, &mut || written(length, offset, generation, debug));
    }
}

pub fn sleeps(suite: &mut Suite, length: u32, generation: Generation) {
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
