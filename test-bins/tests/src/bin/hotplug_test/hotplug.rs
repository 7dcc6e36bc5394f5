//! A CPU that is taken offline and brought back.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use harness::index::{ByCpu, Choice, Here};
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::options::Options;
use harness::registration;
use harness::sys::cpu::{self, Set};
use harness::sys::time::{self, Deadline, MILLISECOND, SECOND};
use harness::{ensure, fail, in_time, note, second_thread};
use rseq_core::sys::{Errno, Fence, MembarrierError, membarrier_rseq, register_membarrier_rseq};

use crate::switch::{Switch, Unplugging};
use crate::work::Work;

/// Times a CPU goes and comes back during a load, at least.
const ROUNDS: u32 = 3;

/// What the kernel says of a CPU in each state.
pub fn states(token: Here, unplugging: Unplugging) -> Verdict {
    let switch = Switch::open(unplugging)?;
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let verdict = gone_and_back(token, &switch);
    // For later tests, even if this one has failed.
    cpu::set_affinity(0, &allowed).or_fail("sched_setaffinity")?;
    verdict
}

fn gone_and_back(token: Here, switch: &Switch) -> Verdict {
    let cpu = switch.cpu;
    cpu::set_affinity(0, &Set::only(cpu)).or_fail("sched_setaffinity")?;
    ensure!(token.cpu_id() == cpu, "cpu_id {} on CPU {cpu}", token.cpu_id());
    switch.offline().or_fail("taking a CPU offline")?;
    let away = away(token, cpu);
    switch.online().or_fail("bringing a CPU online")?;
    away?;
    cpu::set_affinity(0, &Set::only(cpu)).or_fail("sched_setaffinity")?;
    ensure!(token.cpu_id() == cpu, "cpu_id {} on CPU {cpu}, which is online again", token.cpu_id());
    Ok(())
}

/// The CPU that this thread was on is offline.
fn away(token: Here, cpu: u32) -> Verdict {
    ensure!(token.cpu_id() != cpu, "cpu_id is that of the offline CPU {cpu}");
    let here = rseq_core::sys::getcpu().or_fail("getcpu")?;
    ensure!(cpu != here.cpu, "getcpu says {cpu}, which is offline");
    let offline = cpu::listed(c"/sys/devices/system/cpu/offline").or_fail("the offline CPUs")?;
    let online = cpu::listed(c"/sys/devices/system/cpu/online").or_fail("the online CPUs")?;
    ensure!(offline.contains(cpu) && !online.contains(cpu), "CPU {cpu} is not listed as offline");
    let refused = cpu::set_affinity(0, &Set::only(cpu));
    ensure!(refused == Err(Errno::EINVAL), "affinity to the offline CPU alone was not EINVAL");
    if online.count() == 1 {
        note!("with one CPU online, the kernel looks at no fence's target");
    }
    second_thread::with(|| fence(cpu))
}

/// A fence for an offline CPU succeeds: nothing runs there.
fn fence(cpu: u32) -> Verdict {
    match register_membarrier_rseq() {
        Ok(()) => membarrier_rseq(Fence::Cpu(cpu)).map_err(|error| fail!("a fence for CPU {cpu}: {}", error.errno())),
        Err(MembarrierError::NoSyscall | MembarrierError::NoCommand) => {
            note!("this kernel has no rseq membarrier");
            Ok(())
        }
        Err(error) => Err(fail!("membarrier registration: {}", error.errno())),
    }
}

/// A CPU comes and goes while sections run on it and are moved to and from it.
pub fn under_load<C: Choice>(options: &Options, unplugging: Unplugging) -> Verdict {
    C::of(registration::token()?)?;
    let switch = Switch::open(unplugging)?;
    while_it_comes_and_goes::<C>("hotplug", options, &switch, true)
}

/// Threads whose only CPU goes are sent elsewhere by the kernel, in the middle of sections.
pub fn stranded(options: &Options, unplugging: Unplugging) -> Verdict {
    let switch = Switch::open(unplugging)?;
    while_it_comes_and_goes::<ByCpu>("stranded", options, &switch, false)
}

fn while_it_comes_and_goes<C: Choice>(name: &str, options: &Options, switch: &Switch, migration: bool) -> Verdict {
    let work = Work::new()?;
    let cycle = Cycle { switch, rounds: AtomicU32::new(0), stop: AtomicBool::new(false), strand: !migration };
    rseq_rt::thread::scope(|scope| {
        let cycler = scope.spawn(|| cycle.run::<C>(&work)).or_fail("a thread")?;
        let enough = |record: &harness::load::Record| record.events > 0 && cycle.rounds.load(Relaxed) >= ROUNDS;
        let endless = Options { enough: usize::MAX, ..*options };
        let added = work.run::<C>(&endless, migration, &enough);
        cycle.stop.store(true, Relaxed);
        cycler.join()?;
        let rounds = cycle.rounds.load(Relaxed);
        note!("{name}: CPU {} was offline {rounds} times", switch.cpu);
        work.judge(name, &added?)?;
        in_time!(rounds >= ROUNDS, "CPU {} was offline only {rounds} times", switch.cpu);
        Ok(())
    })
}

struct Cycle<'s> {
    switch: &'s Switch,
    rounds: AtomicU32,
    stop: AtomicBool,
    /// Whether the workers are sent to the CPU before it goes.
    strand: bool,
}

impl Cycle<'_> {
    fn run<C: Choice>(&self, work: &Work) -> Result<(), Unmet> {
        while !self.stop.load(Relaxed) {
            time::sleep(20 * MILLISECOND);
            let shown = !self.strand || self.strands(work);
            self.switch.offline().or_fail("taking a CPU offline")?;
            let still = self.stands_still::<C>(work);
            self.switch.online().or_fail("bringing a CPU online")?;
            still?;
            self.rounds.fetch_add(u32::from(shown), Relaxed);
        }
        Ok(())
    }

    /// Sends the workers to the CPU and waits until one commits there; `false` if none does.
    fn strands(&self, work: &Work) -> bool {
        let before = work.count(self.switch.cpu);
        let sent = work.send_to(&Set::only(self.switch.cpu));
        let deadline = Deadline::after(SECOND);
        while sent > 0 && !deadline.is_past() {
            time::sleep(MILLISECOND);
            if work.count(self.switch.cpu) != before {
                return true;
            }
        }
        false
    }

    /// Nothing commits on the slot of a CPU that is offline. Concurrency IDs say nothing about CPUs.
    fn stands_still<C: Choice>(&self, work: &Work) -> Verdict {
        let before = work.count(self.switch.cpu);
        time::sleep(20 * MILLISECOND);
        let after = work.count(self.switch.cpu);
        ensure!(C::NAME != ByCpu::NAME || before == after, "{} commits on an offline CPU", after - before);
        Ok(())
    }
}
