//! vfork: the child reads its parent's area as if it were registered there.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use harness::generation::Generation;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::registration::{self, Registered};
use harness::sys::cpu::{self, Set};
use harness::sys::memory::Mapping;
use harness::sys::process::{self, Ending, in_child};
use harness::sys::time::SECOND;
use harness::sys::vfork::vfork;
use harness::{ensure, fail, note, skip};
use linux_raw_sys::general::SIGSEGV;
use rseq_core::sys::{Errno, rseq_raw};
use rseq_core::{Mode, OwnArea, Owner, RegisterError, Registration, abi, arch};

/// The vfork child's findings reach the parent through its exit code.
fn in_vfork(body: extern "C" fn() -> u8) -> Result<Ending, Unmet> {
    // SAFETY: each body of this file returns, and changes registrations only, in a forked child that ends afterwards.
    let pid = unsafe { vfork(body) }.ok_or_else(|| skip!("vfork needs an optimised build"))?;
    process::wait_thread(pid.or_fail("clone(CLONE_VM | CLONE_VFORK)")?).or_fail("wait")
}

extern "C" fn believes_but_is_not() -> u8 {
    let Ok(registered) = Registered::by_runtime() else { return 1 };
    if rseq_rt::current().is_none() {
        return 2;
    }
    // SAFETY: asks to release what this child does not have: EINVAL, and nothing changes.
    match unsafe { registered.release() } {
        Err(Errno::EINVAL) => 0,
        _ => 3,
    }
}

pub fn is_unregistered() -> Verdict {
    match in_vfork(believes_but_is_not)? {
        Ending::Exited(0) => Ok(()),
        Ending::Exited(2) => Err(fail!("the child reads another area than its parent's")),
        other => Err(fail!("the child: {other}; releasing was to be EINVAL")),
    }
}

extern "C" fn asks_the_core() -> u8 {
    // SAFETY: a vfork child may not register; the core is to notice, and an unnoticed success is undone by the drop.
    match unsafe { Registration::<OwnArea>::runtime(Mode::Extended) } {
        Err(RegisterError::OtherOwner(Some(Owner::Own))) => 0,
        Err(_) => 2,
        Ok(_) => 1,
    }
}

pub fn is_refused() -> Verdict {
    let ending = in_child(20 * SECOND, &mut || match in_vfork(asks_the_core) {
        Ok(Ending::Exited(code)) => code,
        Ok(_) => 98,
        Err(Unmet::Skip(_)) => 97,
        Err(_) => 99,
    })
    .or_fail("fork")?;
    match ending {
        Ending::Exited(97) => Err(skip!("vfork needs an optimised build")),
        Ending::Exited(0) => Ok(()),
        other => Err(fail!("the child: {other}")),
    }
}

extern "C" fn registers_and_releases() -> u8 {
    let Ok(registered) = Registered::by_runtime() else { return 1 };
    // SAFETY: the hazard itself: the memory is the waiting parent's area. Its process is a child made for this.
    let forced = unsafe { rseq_raw(registered.address, registered.length, 0, arch::SIGNATURE) };
    // SAFETY: as above.
    if forced.is_err() || unsafe { registered.release() }.is_err() { 2 } else { 0 }
}

const RIGHT: u8 = 10;
const WRONG: u8 = 11;
const NO_VFORK: u8 = 12;
const NOT_MOVED: u8 = 13;

/// What is left of the parent's area, by `kernel/rseq.c`: a registration that is updated at each context switch heals;
/// an optimised one keeps -1 until an ID changes; V2 finds the kernel's fields changed then, and kills.
pub fn hazard() -> Verdict {
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let first = allowed.iter().next().or_fail("a CPU")?;
    let other = allowed.after(first).filter(|cpu| *cpu != first).ok_or_else(|| skip!("only one CPU"))?;
    let shared = Mapping::shared(4096).or_fail("shared memory")?;
    let after = shared.address() as *const AtomicU32;
    // SAFETY: an aligned word of the mapping, which outlives both processes' use.
    let after = unsafe { &*after };
    let ending = in_child(20 * SECOND, &mut || parent_at_risk(first, other, after)).or_fail("fork")?;
    if ending == Ending::Exited(NO_VFORK) {
        return Err(skip!("vfork needs an optimised build"));
    }
    let generation = Generation::probe()?;
    let length = Registered::by_runtime()?.length;
    let left = after.load(Relaxed);
    note!("{} registration of {length} bytes: cpu_id {} after vfork, then {ending}", generation.name(), left as i32);
    let fatal = generation == Generation::V2 && length > abi::ORIGINAL_SIZE;
    let killed = generation == Generation::Debugged || fatal;
    let expected = if killed { Ending::Killed(SIGSEGV) } else { Ending::Exited(RIGHT) };
    ensure!(ending == expected, "{ending}, expected {expected}");
    ensure!(generation != Generation::Legacy || left == first, "cpu_id {left} after vfork, expected {first}");
    Ok(())
}

fn parent_at_risk(first: u32, other: u32, after: &AtomicU32) -> u8 {
    let Some(token) = rseq_rt::current() else { return 1 };
    if cpu::set_affinity(0, &Set::only(first)).is_err() {
        return NOT_MOVED;
    }
    match in_vfork(registers_and_releases) {
        Ok(Ending::Exited(0)) => {}
        Err(Unmet::Skip(_)) => return NO_VFORK,
        _ => return 2,
    }
    after.store(token.cpu_id(), Relaxed);
    if cpu::set_affinity(0, &Set::only(other)).is_err() {
        return NOT_MOVED;
    }
    if token.cpu_id() == other { RIGHT } else { WRONG }
}

/// Memory of the vfork child's own, for its area.
static ELSEWHERE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn registers_elsewhere() -> u8 {
    let (address, length) = (ELSEWHERE.load(Relaxed), rseq_rt::kernel().registration_len());
    // SAFETY: the mapping is longer than any registration, and the child releases it before it ends.
    if unsafe { rseq_raw(address, length, 0, arch::SIGNATURE) }.is_err() {
        return 1;
    }
    let Ok(here) = rseq_core::sys::getcpu() else { return 2 };
    // SAFETY: the area's second word; volatile, as the kernel writes it.
    let cpu_id = unsafe { (&raw const (*(address as *const abi::Rseq)).cpu_id).read_volatile() };
    // SAFETY: as above.
    if unsafe { rseq_raw(address, length, abi::FLAG_UNREGISTER, arch::SIGNATURE) }.is_err() {
        return 3;
    }
    if cpu_id == here.cpu { 0 } else { 4 }
}

/// The way out: an area of the child's own, which leaves the parent's as it is.
pub fn avoided() -> Verdict {
    let memory = Mapping::private(64 << 10).or_fail("memory for an area")?;
    ELSEWHERE.store(memory.address(), Relaxed);
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let token = registration::token()?;
    let first = allowed.iter().next().or_fail("a CPU")?;
    cpu::set_affinity(0, &Set::only(first)).or_fail("sched_setaffinity")?;
    let ending = in_vfork(registers_elsewhere);
    let (after, other) = (token.cpu_id(), allowed.after(first).unwrap_or(first));
    cpu::set_affinity(0, &Set::only(other)).or_fail("sched_setaffinity")?;
    let moved = token.cpu_id();
    cpu::set_affinity(0, &allowed).or_fail("sched_setaffinity")?;
    let ending = ending?;
    ensure!(ending == Ending::Exited(0), "the child: {ending}");
    ensure!(after == first && moved == other, "the parent's cpu_id: {after} on {first}, {moved} on {other}");
    Ok(())
}
