//! cpu_id after KVM_RUN: the kernel corrects the rseq area of a thread that was moved while it ran a guest.
//!
//! Only the kernel's way back to user space does that, and KVM_RUN enters a guest by other ways. The thread is
//! moved at many different moments around them, and after each KVM_RUN its cpu_id must be the one of getcpu.
#![no_std]
#![no_main]

use harness::args::Args;
use harness::exact::after_system_calls;
use harness::index::Here;
use harness::ktap::{OrFail, Reason, Unmet, Verdict};
use harness::kvm::trial::{self, Limits, Outcome, Source};
use harness::kvm::vcpu::{self, Machine};
use harness::sys::cpu::{self, Set};
use harness::sys::file::File;
use harness::sys::process;
use harness::sys::time::MILLISECOND;
use rseq_rt::process::ExitCode;

use harness::{ensure, expected, fail, note, program, registration, require, skip, tests};

rseq_rt::entry!(main);

const USAGE: &str = "kvm_rseq_test: cpu_id after KVM_RUN, in a thread that is moved about
usage: kvm_rseq_test [--migrations N] [--skip-sanity-check] [--latency US] [--stale-control]
  --migrations N       how often the thread is moved, at least 100 (default: 100000; as PID 1: 1000)
  --skip-sanity-check  accept fewer KVM_RUNs than half the migrations
  --latency US         ask for this wake-up latency of CPUs at most, in microseconds (/dev/cpu_dma_latency)
  --stale-control      only the control, a cpu_id cached across KVM_RUN, for all migrations
exit codes: 0 pass, 1 fail, 2 expected failure, 3 unexpected pass, 4 skip, 64 usage";

/// The control ends with so many mismatches, or, should they not come, after so many migrations. That is many more than
/// it takes on average, as the threads can keep step for a while, and then most KVM_RUNs end where they began.
const CONTROL: Limits = Limits { mismatches: 10, migrations: 20_000 };
/// Fewer moves than one in so many migrations, or none, and nothing was tested.
const MIGRATIONS_A_MOVE: u32 = 1000;

fn main() -> ExitCode {
    program::run(body)
}

struct Options {
    migrations: u32,
    sanity_check: bool,
    latency: Option<u32>,
    control_only: bool,
}

impl Options {
    fn read() -> Self {
        let migrations = if process::id() == 1 { 1000 } else { 100_000 };
        let mut options = Self { migrations, sanity_check: true, latency: None, control_only: false };
        let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
        while let Some(option) = args.next_option() {
            match option {
                "--migrations" => options.migrations = args.number(option, 100..=1_000_000_000),
                "--skip-sanity-check" => options.sanity_check = false,
                "--latency" => options.latency = Some(args.number(option, 0..=i32::MAX as u32)),
                "--stale-control" => options.control_only = true,
                other => args.unknown(other),
            }
        }
        options
    }
}

/// What every test needs.
struct Bench {
    token: Here,
    cpus: Set,
    machine: Machine,
    /// Holds for as long as it is open.
    _latency: Option<File>,
}

impl Bench {
    fn new(options: &Options) -> Result<Self, Unmet> {
        let token = registration::token()?;
        let cpus = cpu::affinity(0).or_fail("sched_getaffinity")?;
        if cpus.count() < 2 {
            return Err(skip!("one CPU only, so there is nowhere to go"));
        }
        let machine = Machine::new(&vcpu::open()?)?;
        Ok(Self { token, cpus, machine, _latency: options.latency.map(limit_latency).transpose()? })
    }

    fn trial(&mut self, source: Source, limits: Limits) -> Result<Outcome, Unmet> {
        trial::run(&mut || self.machine.run(), self.token, source, &self.cpus, limits)
    }
}

/// Asks for CPUs that wake up within `microseconds`.
fn limit_latency(microseconds: u32) -> Result<File, Unmet> {
    use linux_raw_sys::general::{AT_FDCWD, O_WRONLY};
    let file = File::open_at(AT_FDCWD, c"/dev/cpu_dma_latency", O_WRONLY).or_fail("opening /dev/cpu_dma_latency")?;
    file.write(&(microseconds as i32).to_ne_bytes()).or_fail("writing /dev/cpu_dma_latency")?;
    Ok(file)
}

fn body() -> u8 {
    let options = Options::read();
    let mut bench = require!(Bench::new(&options));
    let limits = Limits { migrations: options.migrations, mismatches: u64::MAX };
    if options.control_only {
        return tests! { suite => suite.test(CONTROL_NAME, &mut || is_caught(&mut bench, limits)) };
    }
    let outcome = bench.trial(Source::Registered, limits);
    let outcome = outcome.inspect(|outcome| report("the registered cpu_id", outcome));
    tests! {
        "cpu_id is right after every KVM_RUN" => is_right(&outcome),
        "and right at once, not with the next system call" => is_prompt(&bench, &outcome),
        "the thread was moved" => was_moved(&outcome, &options),
        "KVM_RUNs are more than half the migrations" => ran_enough(&outcome, &options),
        suite => suite.test(CONTROL_NAME, &mut || is_caught(&mut bench, CONTROL)),
    }
}

const CONTROL_NAME: &str = "control: a cpu_id cached across KVM_RUN is caught";

fn report(source: &str, outcome: &Outcome) {
    let Outcome { migrations, runs, in_vain, moves, mismatches, late, nanoseconds, .. } = outcome;
    let milliseconds = nanoseconds / MILLISECOND;
    note!(
        "{source}: {migrations} migrations, {runs} calls, {moves} of them on another CPU than the one before, \
         {mismatches} mismatches, {late} late, {in_vain} looks disturbed, {milliseconds} ms"
    );
}

/// What the trial found; the reason of its failure, were it to have none, for each test that needs it.
fn found(outcome: &Result<Outcome, Unmet>) -> Result<&Outcome, Unmet> {
    outcome.as_ref().map_err(|unmet| match unmet {
        Unmet::Fail(why) => fail!("{why}"),
        _ => fail!("the trial did not run"),
    })
}

fn is_right(outcome: &Result<Outcome, Unmet>) -> Verdict {
    let outcome = found(outcome)?;
    ensure!(outcome.runs > 0, "no KVM_RUN during the migrations");
    ensure!(
        outcome.mismatches == 0,
        "{} of {} times cpu_id was wrong, {}",
        outcome.mismatches,
        outcome.runs,
        first(outcome)
    );
    Ok(())
}

fn first(outcome: &Outcome) -> Reason {
    outcome.first.map_or_else(Reason::default, |first| {
        let [before, after] = first.cpu_ids;
        Reason::of(format_args!(
            "first after call {}: {before} and {after} around getcpu's {}",
            first.run, first.kernel
        ))
    })
}

/// A kernel that is also late after other system calls is late independently of KVM.
fn is_prompt(bench: &Bench, outcome: &Result<Outcome, Unmet>) -> Verdict {
    let outcome = found(outcome)?;
    if outcome.late == 0 {
        return Ok(());
    }
    let late = || fail!("{} of {} times cpu_id was late, {}", outcome.late, outcome.runs, first(outcome));
    if !cfg!(target_arch = "powerpc64") {
        return Err(late());
    }
    let without = after_system_calls(bench.token, &bench.cpus).inspect(|outcome| report("without KVM", outcome))?;
    if without.late == 0 {
        return Err(late());
    }
    Err(expected!("this kernel is late after other system calls too, {}", first(&without)))
}

/// A thread that stays where it is has an easy cpu_id.
fn was_moved(outcome: &Result<Outcome, Unmet>, options: &Options) -> Verdict {
    let outcome = found(outcome)?;
    let enough = u64::from(options.migrations / MIGRATIONS_A_MOVE).max(1);
    ensure!(outcome.moves >= enough, "only {} KVM_RUNs ended on another CPU than the one before", outcome.moves);
    Ok(())
}

fn ran_enough(outcome: &Result<Outcome, Unmet>, options: &Options) -> Verdict {
    let outcome = found(outcome)?;
    if !options.sanity_check {
        return Err(skip!("--skip-sanity-check"));
    }
    ensure!(
        outcome.runs > u64::from(options.migrations / 2),
        "only {} KVM_RUNs; CPUs that sleep too deep? --latency 0 keeps them awake",
        outcome.runs
    );
    Ok(())
}

/// The check of [`is_right`] with a cpu_id that is right only for a thread that was not moved.
fn is_caught(bench: &mut Bench, limits: Limits) -> Verdict {
    let outcome = bench.trial(Source::Cached, limits).inspect(|outcome| report("a cached cpu_id", outcome));
    let found = found(&outcome)?;
    ensure!(found.mismatches > 0, "the check finds nothing wrong with it in {} KVM_RUNs", found.runs);
    ensure!(is_right(&outcome).is_err(), "{} mismatches are no failure", found.mismatches);
    Ok(())
}
