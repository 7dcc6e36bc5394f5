//! The membarrier commands of rseq, and that their fence restarts a section that runs on another CPU.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

use harness::delayed::{DELAY, Delay, delayed_add};
use harness::index::{ByCpu, Choice};
use harness::ktap::{OrFail, Suite, Unmet, Verdict};
use harness::options::PATIENCE;
use harness::slots::Slots;
use harness::sys::cpu::{self, Set};
use harness::sys::process;
use harness::sys::time::{Deadline, MICROSECOND, SECOND, sleep};
use harness::{args, ensure, fail, in_time, note, program, registration, require, second_thread, skip, sys, tests};
use linux_raw_sys::general::{__NR_membarrier, membarrier_cmd, membarrier_cmd_flag};
use rseq_core::sys::{Errno, Fence, MembarrierError, membarrier_query, membarrier_rseq, register_membarrier_rseq};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "membarrier_test: the membarrier commands of rseq\n\
usage: membarrier_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

const RSEQ: u32 = membarrier_cmd::MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ as u32;
const REGISTER_RSEQ: u32 = membarrier_cmd::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ as u32;
const PLAIN: u32 = membarrier_cmd::MEMBARRIER_CMD_PRIVATE_EXPEDITED as u32;
const REGISTER_PLAIN: u32 = membarrier_cmd::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED as u32;
const FLAG_CPU: u32 = membarrier_cmd_flag::MEMBARRIER_CMD_FLAG_CPU as u32;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let fences = if args::short(USAGE) { 60 } else { 400 };
    require!(registration::token());
    match membarrier_query() {
        Ok(commands) if commands.has_rseq() => {}
        Ok(_) => return Suite::skip_all(format_args!("membarrier has no rseq fence here (Linux 5.10)")),
        Err(error) => return Suite::skip_all(format_args!("membarrier: {}", error.errno())),
    }
    tests! {
        "fences before their registration" => before_registration(),
        "flags that are none" => wrong_flags(),
        "registering, twice" => register(),
        "fences with one thread" => each_cpu(),
        "fences with two" => second_thread::with(each_cpu),
        "CPUs that cannot be" => second_thread::with(impossible),
        "CPUs that are offline" => second_thread::with(offline),
        "the fence restarts a section on another CPU" => restarts(fences, Target::All),
        "so does the fence for that CPU" => restarts(fences, Target::Its),
        "a fence for another CPU does not" => restarts(fences, Target::Another),
        "a plain barrier does not" => restarts(fences, Target::Plain),
    }
}

/// The call with any numbers.
fn membarrier(command: u32, flags: u32, cpu: u32) -> Result<(), Errno> {
    // SAFETY: no membarrier command reads or writes user memory.
    unsafe { sys::call(__NR_membarrier, [command as usize, flags as usize, cpu as usize]) }.map(|_| ())
}

/// Registrations are for good, so this comes first.
fn before_registration() -> Verdict {
    for fence in [Fence::All, Fence::Cpu(0)] {
        match membarrier_rseq(fence) {
            Err(MembarrierError::NotRegistered) => {}
            Err(error) => return Err(fail!("{}, expected EPERM", error.errno())),
            Ok(()) => return Err(fail!("a fence before its registration succeeded")),
        }
    }
    Ok(())
}

fn wrong_flags() -> Verdict {
    for (command, flags) in
        [(RSEQ, 1 << 7), (RSEQ, FLAG_CPU | 1 << 7), (REGISTER_RSEQ, FLAG_CPU), (REGISTER_RSEQ, 1 << 7)]
    {
        let result = membarrier(command, flags, 0);
        ensure!(result == Err(Errno::EINVAL), "command {command:#x} with flags {flags:#x} was not EINVAL");
    }
    Ok(())
}

fn register() -> Verdict {
    for _ in 0..2 {
        register_membarrier_rseq().map_err(|error| fail!("{}", error.errno()))?;
    }
    membarrier(REGISTER_PLAIN, 0, 0).or_fail("registering the plain barrier")
}

fn fence(fence: Fence) -> Verdict {
    membarrier_rseq(fence).map_err(|error| fail!("{}", error.errno()))
}

fn each_cpu() -> Verdict {
    fence(Fence::All)?;
    for cpu in cpu::affinity(0).or_fail("sched_getaffinity")?.iter() {
        fence(Fence::Cpu(cpu))?;
    }
    Ok(())
}

fn impossible() -> Verdict {
    let beyond = cpu::slots_by_mask().or_fail("sched_getaffinity")?;
    for cpu in [beyond, beyond + 1, 1 << 20, i32::MAX as u32] {
        fence(Fence::Cpu(cpu))?;
    }
    Ok(())
}

fn offline() -> Verdict {
    let offline =
        cpu::listed(c"/sys/devices/system/cpu/offline").map_err(|errno| skip!("no list of offline CPUs: {errno}"))?;
    offline.iter().try_for_each(|cpu| fence(Fence::Cpu(cpu)))?;
    if offline.count() > 0 { Ok(()) } else { Err(skip!("no CPU is offline; hotplug_test takes one offline")) }
}

/// Sections that a fence has to restart for a proof.
const ENOUGH: usize = 10;

/// Whom a barrier is sent to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    All,
    Its,
    Another,
    Plain,
}

struct Runner {
    cpu: u32,
    ready: AtomicU32,
    stop: AtomicBool,
    aborts: AtomicUsize,
    /// Aborts without a context switch shortly before.
    fenced: AtomicUsize,
}

/// How often a barrier that restarts nothing is tried. Kernels before 6.19 may abort a section for an interruption that
/// came before it, now and then; one that restarts does so each time.
const TRIES: u32 = 3;

/// Whether fences restart the sections of a thread that is inside of one for nearly all of its time, if they have to.
///
/// The thread is not always on its CPU and in its section, so that a few restarts are enough.
fn restarts(fences: usize, target: Target) -> Verdict {
    let (mut sent, mut fenced) = fenced(fences, target)?;
    if matches!(target, Target::All | Target::Its) {
        in_time!(fenced >= ENOUGH, "{sent} fences made {fenced} aborts");
        return Ok(());
    }
    for _ in 1..TRIES {
        if fenced > fences / 50 {
            (sent, fenced) = self::fenced(fences, target)?;
        }
    }
    ensure!(fenced <= fences / 50, "{sent} fences made {fenced} aborts");
    Ok(())
}

/// The fences that this thread sent from one CPU to one that runs sections on another, and the sections that they
/// aborted: the thread there tells aborts by preemption apart by its own count of context switches.
fn fenced(fences: usize, target: Target) -> Result<(usize, usize), Unmet> {
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let here = allowed.iter().next().or_fail("a CPU")?;
    let there = allowed.after(here).filter(|cpu| *cpu != here).ok_or_else(|| skip!("only one CPU"))?;
    let runner = Runner {
        cpu: there,
        ready: AtomicU32::new(0),
        stop: AtomicBool::new(false),
        aborts: AtomicUsize::new(0),
        fenced: AtomicUsize::new(0),
    };
    cpu::set_affinity(0, &Set::only(here)).or_fail("sched_setaffinity")?;
    let sent = rseq_rt::thread::scope(|scope| {
        scope.spawn(|| runner.run()).or_fail("a thread")?;
        let sent = runner.wait_until_ready().and_then(|()| send(fences, target, &runner, here));
        runner.stop.store(true, Relaxed);
        sent
    });
    cpu::set_affinity(0, &allowed).or_fail("sched_setaffinity")?;
    let sent = sent?;
    let (aborts, fenced) = (runner.aborts.load(Relaxed), runner.fenced.load(Relaxed));
    note!("{sent} fences, {aborts} aborts, {fenced} of them without a context switch");
    Ok((sent, fenced))
}

/// Sends the fences, with pauses between: more of them, up to [`PATIENCE`], while those that restart have not restarted
/// [`ENOUGH`] sections. Returns how many it sent.
fn send(fences: usize, target: Target, runner: &Runner, here: u32) -> Result<usize, Unmet> {
    let deadline = Deadline::after(PATIENCE);
    let wants = matches!(target, Target::All | Target::Its);
    let mut sent = 0;
    while sent < fences || (wants && runner.fenced.load(Relaxed) < ENOUGH && !deadline.is_past()) {
        match target {
            Target::All => fence(Fence::All)?,
            Target::Its => fence(Fence::Cpu(runner.cpu))?,
            Target::Another => fence(Fence::Cpu(here))?,
            Target::Plain => membarrier(PLAIN, 0, 0).or_fail("the plain barrier")?,
        }
        sent += 1;
        sleep(100 * MICROSECOND);
    }
    Ok(sent)
}

impl Runner {
    fn wait_until_ready(&self) -> Verdict {
        let deadline = Deadline::after(10 * SECOND);
        while self.ready.load(Relaxed) == 0 {
            in_time!(!deadline.is_past(), "the thread did not start");
            sleep(100 * MICROSECOND);
        }
        ensure!(self.ready.load(Relaxed) == 1, "the thread could not do its work");
        Ok(())
    }

    fn run(&self) {
        let ready = cpu::set_affinity(0, &Set::only(self.cpu)).is_ok() && rseq_rt::current().is_some();
        self.ready.store(if ready { 1 } else { 2 }, Relaxed);
        if ready {
            self.work();
        }
    }

    fn work(&self) -> Option<()> {
        let slots = Slots::new().ok()?;
        let token = rseq_rt::current()?;
        let mut delay = Delay::new();
        let (from, to) = delay.ends();
        let (mut rounds, mut switches) = (0u32, 0);
        while !self.stop.load(Relaxed) {
            // Not each time, as the section is to be what this thread does.
            if rounds % 32 == 0 {
                switches = process::context_switches().ok()?;
            }
            rounds += 1;
            let slot = ByCpu::value(token);
            // SAFETY: the slot's own word, the delay's ends are locals, and a slot number is not -1 or -2.
            let result = unsafe { delayed_add(token, slot, slots.word(slot)?, 1, from, to, DELAY) };
            if result.is_err() {
                self.aborts.fetch_add(1, Relaxed);
                let before = core::mem::replace(&mut switches, process::context_switches().ok()?);
                self.fenced.fetch_add(usize::from(switches == before), Relaxed);
            }
        }
        Some(())
    }
}
