//! Hosts that refuse what the tests rest on: containers, sandboxes, limits, tracers.

use rseq_core::sys::Errno;

use crate::ktap::Unmet;
use crate::load;
use crate::sys::file::File;
use crate::sys::process::{Child, Ending};
use crate::sys::signal::{self, Action};
use crate::sys::time::{SECOND, Ticker};
use crate::sys::{cpu, process};
use crate::text::Text;

/// Names a call, and the error that it gives here.
pub type Hindrance = Text<64>;

/// What is tried: a name, and a harmless use. Nothing that this project makes: that may be what has failed.
const TRIALS: [(&str, fn() -> Result<(), Errno>); 5] = [
    ("sched_getaffinity", || cpu::affinity(0).map(drop)),
    ("sched_setaffinity", || cpu::affinity(0).and_then(|allowed| cpu::set_affinity(0, &allowed))),
    ("fork", fork),
    ("timer_create", timer),
    ("tgkill", || signal::send(process::id(), process::thread_id(), 0)),
];

/// Why a failure says nothing about rseq: a call that the host refuses, by a filter or a limit, or a tracer, which stops
/// threads where no section is. `None` for what is no failure, and on a host that refuses nothing.
pub fn hindrance(unmet: &Unmet) -> Option<Hindrance> {
    if !matches!(unmet, Unmet::Fail(_) | Unmet::Late(_)) {
        return None;
    }
    let refused = TRIALS.iter().find_map(|(name, trial)| match trial() {
        Ok(()) => None,
        Err(errno) => Some(Text::of(format_args!("{name} is refused here ({errno})"))),
    });
    refused.or_else(tracer).or_else(emulator)
}

fn fork() -> Result<(), Errno> {
    match Child::fork(&mut || 0)?.wait_for(10 * SECOND)? {
        Ending::Exited(0) => Ok(()),
        _ => Err(Errno::ECHILD),
    }
}

fn timer() -> Result<(), Errno> {
    use linux_raw_sys::general::SIGURG;
    signal::set(SIGURG, Action::Handler(load::count_signal))?;
    Ticker::start(SIGURG, 3600 * SECOND).map(drop)
}

/// The process that traces this one, by procfs.
fn tracer() -> Option<Hindrance> {
    let file = File::open(c"/proc/self/status").ok()?;
    let mut text = [0; 1024];
    let text = core::str::from_utf8(file.read(&mut text).ok()?).ok()?;
    let pid = text.lines().find_map(|line| line.strip_prefix("TracerPid:"))?.trim();
    (pid != "0").then(|| Text::of(format_args!("traced by process {pid}")))
}

/// valgrind, by what it leaves in the environment.
fn emulator() -> Option<Hindrance> {
    let preloaded = rseq_rt::env::var("LD_PRELOAD")?;
    preloaded.contains("vgpreload").then(|| Text::of(format_args!("emulated by valgrind")))
}
