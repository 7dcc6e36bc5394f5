//! Registrations across fork, vfork, clone and exec, and a per-CPU counter that processes share.
#![no_std]
#![no_main]

use core::ffi::CStr;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use linux_raw_sys::general::SIGSEGV;
use rseq_core::sys::{Errno, rseq_raw};
use rseq_core::{Mode, OwnArea, Owner, RegisterError, Registration, abi, arch};
use rseq_rt::process::ExitCode;
use test_bins::args::Args;
use test_bins::index::{ByCpu, Here};
use test_bins::ktap::{OrFail, Suite, Unmet, Verdict};
use test_bins::registration::{self, Registered};
use test_bins::sys::cpu::{self, Set};
use test_bins::sys::memory::Mapping;
use test_bins::sys::process::{self, Ending, in_child};
use test_bins::sys::time::SECOND;
use test_bins::sys::vfork::vfork;
use test_bins::v2::Generation;
use test_bins::{alone, ensure, fail, note, program, skip};

#[path = "fork_test/shared.rs"]
mod shared;

rseq_rt::entry!(main);

const USAGE: &str = "fork_test: registrations across fork, vfork, clone and exec\n\
usage: fork_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

/// What this program is told when it executes itself.
const AFTER_EXEC: &str = "--after-exec";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let mut short = false;
    let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
    while let Some(option) = args.next_option() {
        match option {
            "--short" => short = true,
            AFTER_EXEC => return after_exec(),
            other => args.unknown(other),
        }
    }
    let token = match registration::token() {
        Ok(token) => token,
        Err(unmet) => return Suite::cannot_start(unmet),
    };
    let mut suite = Suite::new(13);
    suite.test("a forked child keeps the registration", &mut || in_descendant(1, &mut kept));
    suite.test("so does a child's child", &mut || in_descendant(2, &mut kept));
    suite.test("sections of a forked child abort", &mut || in_descendant(1, &mut sections_abort));
    suite.test("sections of a child's child abort", &mut || in_descendant(2, &mut sections_abort));
    suite.test("exec ends the registration", &mut || execute(c"RSEQ_RT=off"));
    suite.test("the runtime registers again after exec", &mut || execute(c"RSEQ_RT=extended"));
    suite.test("a vfork child is not registered, though its area says so", &mut vfork_is_unregistered);
    suite.test("the core refuses to register in a vfork child", &mut vfork_is_refused);
    suite.test("registering there by force breaks the parent", &mut vfork_hazard);
    suite.test("a shared counter by cpu_id is exact", &mut || shared::by_cpu_id(short));
    suite.test("so is the core's counter, in slots that say they are shared", &mut || shared::by_the_core(short));
    suite.test("by mm_cid, which the core refuses there, a shared counter loses", &mut || {
        shared::by_mm_cid(token, short)
    });
    suite.test("processes have the same mm_cid at the same time", &mut || same_mm_cid(token));
    suite.finish()
}

/// Runs `check` in a child, a child's child and so on; code 0 is a pass.
fn in_descendant(generations: u32, check: &mut dyn FnMut() -> u8) -> Verdict {
    let ending = descend(generations, check).or_fail("fork")?;
    ensure!(ending == Ending::Exited(0), "the child: {ending}");
    Ok(())
}

fn descend(generations: u32, check: &mut dyn FnMut() -> u8) -> Result<Ending, Errno> {
    in_child(20 * SECOND, &mut || match generations {
        1 => check(),
        _ => match descend(generations - 1, check) {
            Ok(Ending::Exited(code)) => code,
            _ => 99,
        },
    })
}

/// Busy at the inherited address, and up to date on each CPU.
fn kept() -> u8 {
    let (Ok(registered), Some(token)) = (Registered::by_runtime(), rseq_rt::current()) else { return 1 };
    // SAFETY: asks for what exists already; the area is this program's.
    let again = unsafe { rseq_raw(registered.address, registered.length, 0, arch::SIGNATURE) };
    if again != Err(Errno::EBUSY) {
        return 2;
    }
    let Ok(allowed) = cpu::affinity(0) else { return 3 };
    for cpu in allowed.iter() {
        if cpu::set_affinity(0, &Set::only(cpu)).is_err() || token.cpu_id() != cpu {
            return 4;
        }
    }
    0
}

fn sections_abort() -> u8 {
    let Some(token) = rseq_rt::current() else { return 1 };
    u8::from(alone::test::<ByCpu>(token, false, 5).is_err())
}

/// Executes this program with the environment `mode`; the new image judges itself.
fn execute(mode: &CStr) -> Verdict {
    let path = rseq_rt::env::auxv(linux_raw_sys::auxvec::AT_EXECFN as usize)
        .ok_or_else(|| skip!("the kernel does not tell this program's path"))?;
    // SAFETY: the kernel puts the address of a NUL-terminated string there, which stays.
    let path = unsafe { CStr::from_ptr(path as *const _) };
    let ending = in_child(20 * SECOND, &mut || {
        let arguments = [path.as_ptr().cast(), c"--after-exec".as_ptr().cast(), core::ptr::null()];
        process::execute(path, &arguments, &[mode.as_ptr().cast(), core::ptr::null()]);
        99
    })
    .or_fail("fork")?;
    match ending {
        Ending::Exited(0) => Ok(()),
        Ending::Exited(99) => Err(skip!("this program cannot be executed again under its path")),
        other => Err(fail!("the new image: {other}")),
    }
}

/// In the new image: with the runtime, a registration; without, none that anybody left.
fn after_exec() -> u8 {
    if rseq_rt::env::var("RSEQ_RT") != Some("off") {
        return u8::from(rseq_rt::current().is_none());
    }
    if rseq_rt::current().is_some() {
        return 1;
    }
    // SAFETY: the main thread's own area, whose memory outlives the process's one registration.
    match unsafe { Registration::<OwnArea>::own(rseq_rt::kernel(), Mode::Extended) } {
        Ok(registration) => u8::from(!registration.token().is_registered()),
        Err(_) => 2,
    }
}

/// The vfork child's findings reach the parent through its exit code.
fn in_vfork(body: extern "C" fn() -> u8) -> Result<Ending, Unmet> {
    // SAFETY: each body of this file returns, and changes registrations only, in a forked child that ends afterwards.
    let pid = unsafe { vfork(body) }.ok_or_else(|| skip!("vfork needs an optimised build"))?;
    process::wait_thread(pid.or_fail("clone3(CLONE_VM | CLONE_VFORK)")?).or_fail("wait")
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

fn vfork_is_unregistered() -> Verdict {
    match in_vfork(believes_but_is_not)? {
        Ending::Exited(0) => Ok(()),
        Ending::Exited(2) => Err(fail!("the child reads another area than its parent's")),
        other => Err(fail!("the child: {other}; releasing was to be EINVAL")),
    }
}

extern "C" fn asks_the_core() -> u8 {
    // SAFETY: a vfork child may not register; the core is to notice, and an unnoticed success is undone by the drop.
    match unsafe { Registration::<OwnArea>::runtime(rseq_rt::kernel(), Mode::Extended) } {
        Err(RegisterError::OtherOwner(Some(Owner::Own))) => 0,
        Err(_) => 2,
        Ok(_) => 1,
    }
}

fn vfork_is_refused() -> Verdict {
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

/// What is left of the parent's area, by `kernel/rseq.c`: a registration that is updated at each context switch heals; an
/// optimised one keeps -1 until an ID changes; V2 finds the kernel's fields changed then, and kills.
fn vfork_hazard() -> Verdict {
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

/// Why a concurrency ID is no index into memory that processes share: parent and child have 0 both, each alone in its mm.
fn same_mm_cid(token: Here) -> Verdict {
    let own = token.mm_cid().ok_or_else(|| skip!("this kernel has no mm_cid (Linux 6.3)"))?;
    let ending = in_child(20 * SECOND, &mut || {
        let mm_cid = rseq_rt::current().and_then(|token| token.mm_cid()).unwrap_or(98);
        mm_cid.min(99) as u8
    })
    .or_fail("fork")?;
    ensure!(ending == Ending::Exited(own as u8), "mm_cid {own} here, the child: {ending}");
    Ok(())
}
