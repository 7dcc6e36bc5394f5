//! Hosts that refuse or hide what the tests need: containers, sandboxes, limits, tracers.

use linux_raw_sys::general as raw;
use linux_raw_sys::prctl::PR_GET_DUMPABLE;
use rseq_core::sys::Errno;

use crate::load;
use crate::sys::file::File;
use crate::sys::process::{Child, Ending};
use crate::sys::signal::{self, Action};
use crate::sys::time::{self, SECOND, Ticker};
use crate::sys::{call, cpu, process, ptrace};
use crate::text::{self, Text};
use crate::verdict::Unmet;

/// Names a call, and the error that it gives here.
pub type Hindrance = Text<64>;

/// How often the CPUs of this thread are read, a millisecond apart, before they count as steady.
const CHANGES: u32 = 200;

/// A harmless use of a call.
type Trial = fn() -> Result<(), Errno>;

/// What is tried: a name, and a harmless use. None is a call of this project, which may be what failed.
const TRIALS: [(&str, Trial); 9] = [
    ("sched_getaffinity", || cpu::affinity(0).map(drop)),
    ("sched_setaffinity", || cpu::affinity(0).and_then(|allowed| cpu::set_affinity(0, &allowed))),
    ("fork", fork),
    ("timer_create", timer),
    ("getcpu", || rseq_core::sys::getcpu().map(drop)),
    ("prctl", prctl),
    ("sigaltstack", sigaltstack),
    ("ptrace", ptrace),
    ("tgkill", || signal::send(process::id(), process::thread_id(), 0)),
];

/// Why a failure says nothing about rseq: the host refuses a call, by a filter or a limit; a tracer stops threads
/// outside of sections; CPUs are hidden, or change. `None` if `unmet` is not a failure, or the host refuses nothing.
pub fn hindrance(unmet: &Unmet) -> Option<Hindrance> {
    if !matches!(unmet, Unmet::Fail(_) | Unmet::TimedOut(_)) {
        return None;
    }
    // First, because a debugger that hands SIGTRAP on ends the children of a program, which then cannot fork.
    tracer().or_else(refusal).or_else(emulator).or_else(faked_cpus).or_else(changing_cpus)
}

/// The first call that is refused.
fn refusal() -> Option<Hindrance> {
    TRIALS.iter().find_map(|(name, trial)| match trial() {
        Ok(()) => None,
        Err(errno) => Some(Text::of(format_args!("{name} is refused here ({errno})"))),
    })
}

fn fork() -> Result<(), Errno> {
    match Child::fork(&mut || 0)?.wait_for(10 * SECOND)? {
        Ending::Exited(0) => Ok(()),
        _ => Err(Errno::ECHILD),
    }
}

fn prctl() -> Result<(), Errno> {
    // SAFETY: this option takes no pointer, and changes nothing.
    unsafe { call(raw::__NR_prctl, [PR_GET_DUMPABLE as usize]) }.map(drop)
}

fn sigaltstack() -> Result<(), Errno> {
    // SAFETY: without pointers the call changes nothing.
    unsafe { call(raw::__NR_sigaltstack, [0, 0]) }.map(drop)
}

/// Tries to resume a thread that this one does not trace.
fn ptrace() -> Result<(), Errno> {
    match ptrace::resume(process::id()) {
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    }
}

fn timer() -> Result<(), Errno> {
    signal::set(raw::SIGURG, Action::Handler(load::count_signal))?;
    Ticker::start(raw::SIGURG, 3600 * SECOND).map(drop)
}

/// The process that traces this one, by procfs.
pub fn tracer() -> Option<Hindrance> {
    let file = File::open(c"/proc/self/status").ok()?;
    let mut text = [0; 1024];
    let mut lines = file.read(&mut text).ok()?.split(|byte| *byte == b'\n');
    let pid = core::str::from_utf8(lines.find_map(|line| line.strip_prefix(b"TracerPid:\t"))?).ok()?;
    (pid != "0").then(|| Text::of(format_args!("traced by process {pid}")))
}

/// A list of possible CPUs without one that this thread may use, such as lxcfs shows in a container.
fn faked_cpus() -> Option<Hindrance> {
    let possible = cpu::listed(c"/sys/devices/system/cpu/possible").ok()?;
    let left_out = cpu::affinity(0).ok()?.iter().find(|cpu| !possible.contains(*cpu))?;
    Some(Text::of(format_args!("CPU {left_out} is not among the possible ones")))
}

/// A set of CPUs that changes without a request, as where a cpuset does: threads do not stay where tests put them.
fn changing_cpus() -> Option<Hindrance> {
    let first = cpu::affinity(0).ok()?;
    let changed = (0..CHANGES).any(|_| {
        time::sleep(time::MILLISECOND);
        cpu::affinity(0).is_ok_and(|now| now != first)
    });
    changed.then(|| Text::of(format_args!("the CPUs that this thread may use change")))
}

/// valgrind, by what it leaves in the environment.
fn emulator() -> Option<Hindrance> {
    let preloaded = rseq_rt::env::var_bytes("LD_PRELOAD")?;
    text::contains(preloaded, b"vgpreload").then(|| Text::of(format_args!("emulated by valgrind")))
}
