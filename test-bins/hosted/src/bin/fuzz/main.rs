//! Random operations on the per-CPU types, on threads that are interrupted, moved and preempted, against models:
//! `fuzz [--type NAME] [--seed N] [--operations N] [--control NAME]`.
//!
//! A run consists of rounds. A round makes a new object and some threads, each with a signal handler that also uses the
//! object. Timers interrupt the threads every 20 us; the threads change their CPUs, and are moved to others at any
//! moment. Some rounds have a thread without a registration. Every item has a tag, so that one that is lost, doubled
//! or out of order is named; at the end of a round all totals are exact. In every fourth round a single thread works on
//! CPUs that it chooses, interrupted by signals only, and each result is that of a sequential model.
//!
//! What threads do follows from the seed; how they are interleaved does not.

mod engine;
mod options;
mod random;
mod types;
mod unrest;

use engine::{Fault, Totals};
use options::Options;
use rseq_core::{Status, status, sys};
use std::fmt;
use std::process::ExitCode;
use std::time::Instant;
use types::Kind;

/// As in sysexits.h.
const EX_USAGE: u8 = 64;

/// kselftest's code for a skipped test.
const SKIPPED: u8 = 4;

/// A fault, and where it came up.
#[derive(Debug)]
struct Failure {
    kind: Kind,
    round: u64,
    fault: Fault,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, round, fault: Fault(what, a, b) } = self;
        write!(f, "{}, round {round}: {what} ({a}, {b})", kind.name())
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::usage());
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprint!("error: {why:#}\n\n{}", options::usage());
            return ExitCode::from(EX_USAGE);
        }
    };
    if let (Status::On(_), false) = (status(), has_fence()) {
        println!("skipped: the kernel has no membarrier(2) for rseq, by which the data of other CPUs is reached");
        return ExitCode::from(SKIPPED);
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("{failure}");
            println!("again: {}", options.again(failure.kind));
            ExitCode::FAILURE
        }
    }
}

fn has_fence() -> bool {
    sys::membarrier_query().is_ok_and(sys::Commands::has_rseq)
}

fn run(options: &Options) -> Result<(), Failure> {
    println!("seed {}, {} operations; rseq: {}", options.seed, options.operations, status());
    unrest::install();
    let (began, mut all) = (Instant::now(), Totals::default());
    let share = options.operations.div_ceil(options.kinds.len() as u64);
    for &kind in &options.kinds {
        let totals = run_kind(kind, options.seed, share)?;
        println!("{:<10} {totals}", kind.name());
        all += totals;
    }
    println!("{:<10} {all}, in {:.1} s", "all", began.elapsed().as_secs_f64());
    Ok(())
}

/// Rounds of a type until it has had so many operations.
fn run_kind(kind: Kind, seed: u64, operations: u64) -> Result<Totals, Failure> {
    let (mut totals, mut shown) = (Totals::default(), Instant::now());
    while totals.operations < operations {
        let round = engine::Round::new(kind.name(), seed, totals.rounds, operations - totals.operations);
        let failed = |fault| Failure { kind, round: totals.rounds, fault };
        totals += kind.play(&round).map_err(failed)?;
        if shown.elapsed().as_secs() >= 1 {
            eprintln!("{}: {} of {operations} operations", kind.name(), totals.operations);
            shown = Instant::now();
        }
    }
    Ok(totals)
}
