//! Threads that may use some CPUs only.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use harness::index::{ByCpu, Here};
use harness::ktap::{OrFail, Verdict};
use harness::options::Options;
use harness::sys::cpu::{self, Set};
use harness::sys::time::{self, MILLISECOND};
use harness::{ensure, in_time, note, skip};
use rseq_core::percpu::PossibleCpus;

use crate::work::Work;

/// Online and offline CPUs are apart, and possible.
pub fn lists() -> Verdict {
    let read = |path| cpu::listed(path).map_err(|errno| skip!("no lists of CPUs: {errno}"));
    let possible = read(c"/sys/devices/system/cpu/possible")?;
    let online = read(c"/sys/devices/system/cpu/online")?;
    let offline = read(c"/sys/devices/system/cpu/offline")?;
    note!("{} possible, {} online, {} offline CPUs", possible.count(), online.count(), offline.count());
    let counted = PossibleCpus::read().or_fail("the possible CPUs")?;
    ensure!(counted.count() == possible.count(), "{} counted, {} listed", counted.count(), possible.count());
    ensure!(possible.iter().last() == Some(counted.highest()), "the highest is not {}", counted.highest());
    ensure!(online.iter().all(|cpu| possible.contains(cpu)), "an online CPU is not possible");
    ensure!(online.iter().all(|cpu| !offline.contains(cpu)), "a CPU is online and offline");
    Ok(())
}

/// The allowed CPUs, and sets with gaps that can be made of them.
struct Sets {
    allowed: Set,
    first: u32,
    last: u32,
    sparse: [Set; 5],
}

impl Sets {
    /// Each end by itself, both ends, and every second CPU. A skip where none of them has a gap.
    fn new() -> Result<Self, harness::ktap::Unmet> {
        let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
        let (Some(first), Some(last)) = (allowed.iter().next(), allowed.iter().last()) else {
            return Err(skip!("no CPU"));
        };
        if allowed.count() < 3 {
            return Err(skip!("a set with a gap takes three CPUs, this thread has {}", allowed.count()));
        }
        let mut ends = Set::only(first);
        ends.insert(last);
        let every_second = |from: usize| {
            let mut set = Set::empty();
            allowed.iter().skip(from).step_by(2).for_each(|cpu| set.insert(cpu));
            set
        };
        let sparse = [Set::only(first), Set::only(last), ends, every_second(0), every_second(1)];
        Ok(Self { allowed, first, last, sparse })
    }
}

/// Right after sched_setaffinity the thread is inside the set, and so is what its area says.
pub fn followed(token: Here) -> Verdict {
    let sets = Sets::new()?;
    let mut verdict = Ok(());
    for set in sets.sparse.iter().cycle().take(100) {
        cpu::set_affinity(0, set).or_fail("sched_setaffinity")?;
        let cpu = token.cpu_id();
        if !set.contains(cpu) {
            verdict = Err(harness::fail!("cpu_id {cpu} is outside the allowed set"));
            break;
        }
    }
    cpu::set_affinity(0, &sets.allowed).or_fail("sched_setaffinity")?;
    verdict
}

/// All threads share the last CPU's slot.
pub fn one_cpu(options: &Options) -> Verdict {
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let only = allowed.iter().last().or_fail("a CPU")?;
    cpu::set_affinity(0, &Set::only(only)).or_fail("sched_setaffinity")?;
    let work = Work::new()?;
    let added = work.run::<ByCpu>(options, false, &|record| record.events > 0);
    cpu::set_affinity(0, &allowed).or_fail("sched_setaffinity")?;
    work.judge("one CPU", &added?)?;
    ensure!(work.count(only) == work.slots.sum(), "a slot of another CPU than {only} was counted in");
    Ok(())
}

/// A thread sends the workers from one set to the next.
pub fn sparse(options: &Options) -> Verdict {
    let sets = Sets::new()?;
    let work = Work::new()?;
    let stop = AtomicBool::new(false);
    let verdict = rseq_rt::thread::scope(|scope| {
        let mover = scope.spawn(|| disperse(&work, &sets, &stop)).or_fail("a thread")?;
        let ends_counted = || work.count(sets.first) > 0 && work.count(sets.last) > 0;
        let added = work.run::<ByCpu>(options, false, &|record| record.events > 0 && ends_counted());
        stop.store(true, Relaxed);
        let moves = mover.join();
        note!("{moves} changes of affinity");
        work.judge("sets with gaps", &added?)?;
        in_time!(moves > 0, "no thread's affinity was changed");
        Ok(())
    });
    verdict?;
    for cpu in [sets.first, sets.last] {
        in_time!(work.count(cpu) > 0, "nothing was counted on CPU {cpu} before the deadline");
    }
    Ok(())
}

fn disperse(work: &Work, sets: &Sets, stop: &AtomicBool) -> u64 {
    let mut moves = 0;
    for set in sets.sparse.iter().cycle().take_while(|_| !stop.load(Relaxed)) {
        moves += work.send_to(set);
        time::sleep(MILLISECOND);
    }
    moves
}
