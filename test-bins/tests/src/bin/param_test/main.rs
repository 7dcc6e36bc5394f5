//! Per-CPU operations under injected delays, yields, signals and sleeps: the kernel's and librseq's param_test, one
//! binary for what they build eight of.
#![no_std]
#![no_main]
// MIPS alone has no stable inline assembly.
#![cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), feature(asm_experimental_arch))]

mod buffer;
mod counters;
mod flavour;
mod grid;
mod inject;
mod list;
mod membarrier;
mod options;
mod points;
mod workers;

use core::fmt;
use core::sync::atomic::Ordering::Relaxed;
use flavour::{CompareTwice, DIFFERED, Delayed, Delays, Flavour, Plain, Stretched};
use harness::index::{ByCpu, ByMmCid, Choice};
use harness::ktap::{OrFail, Suite, Verdict};
use harness::sys::cpu;
use harness::sys::memory::Mapping;
use harness::sys::signal::{self, Action};
use harness::text::Text;
use harness::{ensure, fail, program, reexec, registration, require, skip, tests};
use linux_raw_sys::general::SIGUSR1;
use options::{Grid, Params, Test};
use rseq_core::{Mode, Relaxed as PlainStore, Release};
use rseq_rt::process::ExitCode;
use workers::Totals;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = options::read();
    require!(start(&options));
    match options.grid {
        Grid::One => tests! { suite => one(suite, &options.params) },
        Grid::Short => all(grid::SHORT, &options.params),
        Grid::Full => all(grid::FULL, &options.params),
        Grid::Blocking => all(grid::BLOCKING_ONLY, &options.params),
    }
}

/// The registration that the options ask for, and the signal handler.
fn start(options: &options::Options) -> Verdict {
    let params = &options.params;
    if params.by_hand() {
        reexec::by_hand()?;
        workers::register(params).map(core::mem::forget)?;
    } else {
        registration::token()?;
        if params.legacy {
            reexec::in_mode(Mode::Legacy)?;
        }
    }
    signal::set(SIGUSR1, Action::Handler(inject::count_signal)).or_fail("the signal handler")
}

/// The runs of a grid, with the verbosity asked for, and no more repetitions than asked for.
fn all(size: grid::Size, asked: &Params) -> u8 {
    let cpus = cpu::affinity(0).map_or(1, |set| set.count());
    tests! {
        suite * size.count() => (0..size.count()).for_each(|number| {
            let run = size.run(number, cpus);
            one(suite, &Params { verbose: asked.verbose, reps: run.reps.min(asked.reps), ..run });
        }),
    }
}

fn one(suite: &mut Suite, params: &Params) {
    let verdict = match params.missing_point() {
        Some(point) => Err(skip!("no section of {} has a point {point}", params.test.name())),
        None if params.mm_cid => in_flavour::<ByMmCid>(params),
        None => in_flavour::<ByCpu>(params),
    };
    suite.report(format_args!("{}", Name(params)), verdict);
}

fn in_flavour<C: Choice>(params: &Params) -> Verdict {
    let token = if params.by_hand() { rseq_rt::current().or_fail("a token")? } else { registration::token()? };
    C::of(token)?;
    if !params.compare_twice && !params.injects() {
        return run::<_, C>(Plain, params);
    }
    let memory = Mapping::private(size_of::<Delays>()).or_fail("memory for the delays")?;
    let delays = memory.slot::<Delays>(0).or_fail("memory for the delays")?;
    // SAFETY: the mapping holds the array, which only this thread writes; it lives until after the threads have been
    // joined.
    let inside = unsafe {
        delays.write(params.delays());
        &*delays
    };
    let delayed = Delayed { before: params.loops(1), inside };
    if params.compare_twice {
        run::<_, C>(CompareTwice(delayed), params)
    } else {
        run::<_, C>(Stretched(delayed), params)
    }
}

fn run<F: Flavour, C: Choice>(flavour: F, params: &Params) -> Verdict {
    let totals = Totals::default();
    let signals = inject::SIGNALS.load(Relaxed);
    let verdict = match (params.test, params.release) {
        (Test::Spinlock, _) => counters::spinlock::<F, C>(flavour, params, &totals),
        (Test::Increment, _) => counters::increment::<F, C>(flavour, params, &totals),
        (Test::List, _) => list::run::<F, C>(flavour, params, &totals),
        (Test::Buffer, false) => buffer::pointers::<F, C, PlainStore>(flavour, params, &totals),
        (Test::Buffer, true) => buffer::pointers::<F, C, Release>(flavour, params, &totals),
        (Test::Memcpy, false) => buffer::items::<F, C, PlainStore>(flavour, params, &totals),
        (Test::Memcpy, true) => buffer::items::<F, C, Release>(flavour, params, &totals),
        (Test::Membarrier, _) => membarrier::run::<F, C>(flavour, params, &totals),
    };
    totals.report(params.test.name(), inject::SIGNALS.load(Relaxed) - signals);
    let differed = DIFFERED.swap(0, Relaxed);
    ensure!(differed == 0, "{differed} comparisons held and did not when they were made again");
    verdict.and_then(|()| totals.check(params)).and_then(|()| check_signals(params, signals))
}

/// Signals that were asked for arrived.
fn check_signals(params: &Params, before: usize) -> Verdict {
    let asked = params.signals && params.modulo > 0 && params.loops[7..].contains(&options::BLOCK);
    let enough = params.reps >= params.modulo && !params.disabled;
    if asked && enough && inject::SIGNALS.load(Relaxed) == before {
        return Err(fail!("no signal was handled"));
    }
    Ok(())
}

/// What a result is called.
struct Name<'p>(&'p Params);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Params { test, mm_cid, compare_twice, release, loops, modulo, .. } = self.0;
        write!(f, "{} by {}", test.name(), if *mm_cid { ByMmCid::NAME } else { ByCpu::NAME })?;
        if *release && test.has_order() {
            write!(f, ", release")?;
        }
        if *compare_twice {
            write!(f, ", comparing twice")?;
        }
        for (point, loops) in loops.iter().enumerate().filter(|(_, loops)| **loops != 0) {
            match *loops {
                options::BLOCK => write!(f, ", {} at {point} every {modulo}", Blocking(self.0))?,
                loops => write!(f, ", {loops} loops at {point}")?,
            }
        }
        Ok(())
    }
}

struct Blocking<'p>(&'p Params);

impl fmt::Display for Blocking<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Text::<32>::new();
        let kinds = [(self.0.yields, "yield"), (self.0.signals, "signal"), (self.0.sleep_ms > 0, "sleep")];
        for (_, kind) in kinds.into_iter().filter(|(on, _)| *on) {
            let separator = if text.as_bytes().is_empty() { "" } else { "+" };
            text.push(format_args!("{separator}{kind}"));
        }
        f.write_str(text.as_str())
    }
}
