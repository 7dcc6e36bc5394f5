//! Concurrency IDs: below the number of possible CPUs, and no two running threads with the same one, whoever comes and
//! goes.
#![no_std]
#![no_main]

mod exclusive;
mod waves;

use core::sync::atomic::{AtomicUsize, Ordering};

use exclusive::Rooms;
use harness::index::{ByMmCid, Choice, Here};
use harness::ktap::{OrFail, Verdict};
use harness::load::{Load, Worker};
use harness::options::Options;
use harness::percpu_ops::{Counts, Tally, under_load};
use harness::sys::{cpu, time};
use harness::{ensure, load_usage, note, program, registration, require, tests};
use rseq_core::ops::librseq::Error;
use rseq_core::percpu::PossibleCpus;
use rseq_rt::process::ExitCode;
use waves::With;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = Options::read(load_usage!("mm_cid_test", "concurrency IDs are small, and one thread's at a time"));
    let token = require!(registration::token().and_then(|token| ByMmCid::of(token).map(|_| token)));
    tests! {
        "IDs stay below the number of possible CPUs" => small(&options),
        "no two threads are inside one slot" => exclusive(&options),
        "threads come and go across the number of CPUs" => waves::test(&options, With::Threads),
        "so do threads that fork" => waves::test(&options, With::Forks),
        "so do threads that vfork" => waves::test(&options, With::Vforks),
        "after the threads are gone" => alone(token),
    }
}

static HIGHEST: AtomicUsize = AtomicUsize::new(0);

fn small(options: &Options) -> Verdict {
    HIGHEST.store(0, Ordering::Relaxed);
    let possible = PossibleCpus::read().or_fail("the possible CPUs")?.slots_by_mm_cid();
    let load = Load::heavy(options.threads, options.nanoseconds / 4, usize::MAX);
    load.run(&|worker| {
        let Some(token) = rseq_rt::current() else { return HIGHEST.store(usize::MAX, Ordering::Relaxed) };
        loop {
            HIGHEST.fetch_max(ByMmCid::value(token), Ordering::Relaxed);
            if !worker.goes_on() {
                break;
            }
        }
    })
    .or_fail("the load")?;
    let highest = HIGHEST.load(Ordering::Relaxed);
    note!("{} threads, {possible} possible CPUs, highest mm_cid {highest}", options.threads);
    ensure!(highest < possible, "mm_cid {highest} with {possible} possible CPUs");
    Ok(())
}

fn exclusive(options: &Options) -> Verdict {
    let rooms = Rooms::new().or_fail("memory for the slots")?;
    let tally = Tally::default();
    let (record, kernel) = under_load(options, false, &|worker| tally.add(work(worker, &rooms)))?;
    ensure!(rooms.met() == 0, "two threads were in one slot");
    ensure!(rooms.is_empty(), "a slot was not given back");
    tally.judge("exclusive", false, &record, kernel)
}

fn work(worker: &Worker<'_>, rooms: &Rooms) -> Option<Counts> {
    let token = rseq_rt::current()?;
    let mut counts = Counts::default();
    while worker.goes_on() {
        match rooms.visit(token, worker.index as usize + 1)? {
            Ok(()) => counts.done += 1,
            Err(Error::Aborted) => {
                counts.aborted += 1;
                worker.saw(1);
            }
            // The thread that took it has lost its ID to this one meanwhile; it needs a CPU to finish.
            Err(Error::CompareFailed) => {
                counts.compare_failed += 1;
                time::yield_now();
            }
        }
    }
    Some(counts)
}

/// Compactness is the kernel's optimisation: reported, not required.
fn alone(token: Here) -> Verdict {
    time::sleep(100 * time::MILLISECOND);
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    for cpu in allowed.iter() {
        cpu::set_affinity(0, &cpu::Set::only(cpu)).or_fail("sched_setaffinity")?;
        note!("mm_cid {} on CPU {cpu}, with one thread", ByMmCid::value(token));
    }
    cpu::set_affinity(0, &allowed).or_fail("sched_setaffinity")?;
    let possible = PossibleCpus::read().or_fail("the possible CPUs")?.slots_by_mm_cid();
    ensure!(ByMmCid::value(token) < possible, "mm_cid {} of {possible}", ByMmCid::value(token));
    Ok(())
}
