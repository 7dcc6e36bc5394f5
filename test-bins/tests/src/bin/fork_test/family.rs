//! Children by fork, their children, and programs that processes become.

use core::ffi::CStr;

use harness::index::ByCpu;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::registration::Registered;
use harness::sys::cpu::{self, Set};
use harness::sys::process::{self, Ending, in_child};
use harness::sys::time::SECOND;
use harness::{args, ensure, fail, in_time, reexec, self_signal, skip};
use rseq_core::sys::{Errno, rseq_raw};
use rseq_core::{OwnArea, Registration, arch};

/// The exit code of a child that waited in vain.
const LATE: u8 = 98;

/// Runs `check` in a child, a child's child and so on; code 0 is a pass.
pub fn in_descendant(generations: u32, check: &mut dyn FnMut() -> u8) -> Verdict {
    let ending = descend(generations, check).or_fail("fork")?;
    in_time!(ending != Ending::Exited(LATE), "the child waited for an abort up to its deadline");
    ensure!(ending == Ending::Exited(0), "the child: {ending}");
    Ok(())
}

fn descend(generations: u32, check: &mut dyn FnMut() -> u8) -> Result<Ending, Errno> {
    // Much longer than `check` waits, which has the other deadline.
    in_child(60 * SECOND, &mut || match generations {
        1 => check(),
        _ => match descend(generations - 1, check) {
            Ok(Ending::Exited(code)) => code,
            _ => 99,
        },
    })
}

/// Busy at the inherited address, and up to date on each CPU.
pub fn kept() -> u8 {
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

pub fn sections_abort() -> u8 {
    let Some(token) = rseq_rt::current() else { return 1 };
    match self_signal::test::<ByCpu>(token, false, 5) {
        Ok(()) => 0,
        Err(Unmet::TimedOut(_)) => LATE,
        Err(_) => 2,
    }
}

/// Executes this program with the environment `variable` and one argument; the new image judges itself.
pub fn execute(variable: &CStr, argument: &CStr) -> Verdict {
    let path = path().ok_or_else(|| skip!("the kernel does not tell this program's path"))?;
    match in_child(30 * SECOND, &mut || replace(path, variable, argument)).or_fail("fork")? {
        Ending::Exited(0) => Ok(()),
        Ending::Exited(NOT_REPLACED) => Err(skip!("this program cannot be executed again under its path")),
        other => Err(fail!("the new image: {other}")),
    }
}

/// The exit code of an image that could not be replaced.
pub const NOT_REPLACED: u8 = 99;

/// The path that this program was executed by.
pub fn path() -> Option<&'static CStr> {
    let path = rseq_rt::env::auxv(linux_raw_sys::auxvec::AT_EXECFN as usize)?;
    // SAFETY: the kernel puts the address of a NUL-terminated string there, which stays.
    Some(unsafe { CStr::from_ptr(path as *const _) })
}

/// Returns only if this image could not be replaced.
pub fn replace(path: &CStr, variable: &CStr, argument: &CStr) -> u8 {
    let legacy = rseq_rt::env::args_os().find(|word| word.to_bytes() == args::LEGACY.as_bytes());
    let legacy = legacy.map_or(core::ptr::null(), |word| word.as_ptr().cast());
    let arguments = [path.as_ptr().cast(), argument.as_ptr().cast(), legacy, core::ptr::null()];
    process::execute(path, &arguments, &[variable.as_ptr().cast(), core::ptr::null()]);
    NOT_REPLACED
}

/// In the new image: with the runtime, a registration; without, none that anybody left.
pub fn after_exec() -> u8 {
    if rseq_rt::env::var("RSEQ_RT") != Some("off") {
        return u8::from(rseq_rt::current().is_none());
    }
    if rseq_rt::current().is_some() {
        return 1;
    }
    // SAFETY: the main thread's own area, whose memory outlives the process's one registration.
    match unsafe { Registration::<OwnArea>::own(reexec::asked_mode()) } {
        Ok(registration) => u8::from(!registration.token().is_registered()),
        Err(_) => 2,
    }
}
