//! The options that every test under load has.

use crate::args::Args;
use crate::reexec;
use crate::sys::cpu;
use crate::sys::time::{MILLISECOND, SECOND};
use crate::verdict::Unmet;

/// How long a test waits for the first event of the kind that proves something, on the slowest of machines.
pub const PATIENCE: u64 = 15 * SECOND;

/// How much load, and for how long at most.
#[derive(Clone, Copy)]
pub struct Options {
    /// For guests under emulation: fewer events wanted, shorter deadlines.
    pub short: bool,
    /// Worker threads.
    pub threads: u32,
    /// The longest that one load may last, in nanoseconds.
    pub nanoseconds: u64,
    /// The aborts or losses that a load waits for.
    pub enough: usize,
}

impl Options {
    /// Reads `--short`, `--threads N`, `--seconds N` and `--enough N`; another option is a usage error.
    pub fn read(usage: &'static str) -> Self {
        Self::read_with(usage, &mut |_| false)
    }

    /// As [`Options::read`] for a test with further options, which `own` takes: true for one that it knows.
    pub fn read_with(usage: &'static str, own: &mut dyn FnMut(&str) -> bool) -> Self {
        let mut args = Args::new(rseq_rt::env::args().skip(1), usage);
        let (mut short, mut threads, mut seconds, mut enough) = (false, None, None, None);
        while let Some(option) = args.next_option() {
            match option {
                "--short" => short = true,
                "--threads" => threads = Some(args.number(option, 1..=crate::load::MAX_THREADS as u32)),
                "--seconds" => seconds = Some(args.number(option, 1..=3600)),
                "--enough" => enough = Some(args.number(option, 1..=1_000_000) as usize),
                other if own(other) => {}
                other => args.unknown(other),
            }
        }
        Self {
            short,
            threads: threads.unwrap_or_else(default_threads),
            nanoseconds: seconds.map_or(if short { 700 * MILLISECOND } else { 3 * SECOND }, |s| u64::from(s) * SECOND),
            enough: enough.unwrap_or(if short { 5 } else { 300 }),
        }
    }
}

/// The options of a test that also runs with `--off`, in threads that are not registered; `Err` if it cannot.
pub fn read_with_off(usage: &'static str) -> Result<Options, Unmet> {
    let mut off = false;
    let options = Options::read_with(usage, &mut |option| {
        let is_off = option == "--off";
        off |= is_off;
        is_off
    });
    if off {
        reexec::by_hand()?;
    }
    Ok(options)
}

/// Twice the CPUs that this process may use, so that every CPU is contended.
fn default_threads() -> u32 {
    let cpus = cpu::affinity(0).map_or(1, |set| set.count());
    (2 * cpus).clamp(2, 16)
}

/// The usage text of a test whose only options are these.
#[macro_export]
macro_rules! load_usage {
    ($name:literal, $purpose:literal) => {
        concat!(
            $name,
            ": ",
            $purpose,
            "\n",
            "usage: ",
            $name,
            " [--short] [--threads N] [--seconds N] [--enough N]\n",
            "  --short      short deadlines and few aborts, for emulated machines\n",
            "  --threads N  worker threads (default: twice the CPUs)\n",
            "  --seconds N  longest duration of one load (default: 3; short: 0.7)\n",
            "  --enough N   aborts to wait for (default: 300; short: 5)\n",
            "exit codes: 0 pass, 1 fail, 2 expected failure, 3 unexpected pass, 4 skip, 64 usage"
        )
    };
}
