//! Concurrency IDs: below the number of possible CPUs, and no two running threads with the same one.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicUsize, Ordering};

use rseq_core::Committed;
use rseq_core::ops::librseq::{self, load_cbne_store};
use rseq_core::percpu::PossibleCpus;
use rseq_rt::process::ExitCode;
use test_bins::index::{ByMmCid, Choice, Here};
use test_bins::ktap::{OrFail, Suite, Verdict};
use test_bins::load::{Load, Worker};
use test_bins::options::Options;
use test_bins::percpu_ops::{Counts, Tally, under_load};
use test_bins::slots::Slots;
use test_bins::sys::{cpu, time};
use test_bins::{ensure, load_usage, note, program, registration};

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = Options::read(load_usage!("mm_cid_test", "concurrency IDs are small, and one thread's at a time"));
    let token = match registration::token().and_then(|token| ByMmCid::of(token).map(|_| token)) {
        Ok(token) => token,
        Err(unmet) => return Suite::cannot_start(unmet),
    };
    let mut suite = Suite::new(3);
    suite.test("IDs stay below the number of possible CPUs", &mut || small(&options));
    suite.test("no two threads are inside one slot", &mut || exclusive(&options));
    suite.test("after the threads are gone", &mut || alone(token));
    suite.finish()
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

/// Takes the slot of this thread's ID in one section and gives it back in a second. Between them another thread may take
/// over the ID, and finds the slot taken; what it may never find is a slot that two threads took.
fn exclusive(options: &Options) -> Verdict {
    let owners = Slots::new().or_fail("memory for the slots")?;
    let inside = Slots::new().or_fail("memory for the slots")?;
    let tally = Tally::default();
    MET.store(0, Ordering::Relaxed);
    let (record, kernel) = under_load(options, false, &|worker| tally.add(work(worker, &owners, &inside)))?;
    ensure!(MET.load(Ordering::Relaxed) == 0, "two threads were in one slot");
    ensure!(owners.sum() == 0, "a slot was not given back");
    tally.judge("exclusive", false, &record, kernel)
}

/// Visits of a slot in which somebody else was.
static MET: AtomicUsize = AtomicUsize::new(0);

fn work(worker: &Worker<'_>, owners: &Slots, inside: &Slots) -> Option<Counts> {
    let token = rseq_rt::current()?;
    let name = worker.index as usize + 1;
    let mut counts = Counts::default();
    while worker.goes_on() {
        let slot = ByMmCid::value(token);
        let owner = owners.word(slot)?;
        // SAFETY: the slot's own word, and a slot number is not -1 or -2.
        match unsafe { load_cbne_store(ByMmCid::of(token).ok()?, slot, owner, 0, name) } {
            Ok(Committed) => {
                counts.done += 1;
                MET.fetch_add(usize::from(!is_alone(owner, inside.word(slot)?, name)), Ordering::Relaxed);
            }
            Err(librseq::Error::Aborted) => {
                counts.aborted += 1;
                worker.saw(1);
            }
            // The thread that took it has lost its ID to this one meanwhile; it needs a CPU to finish.
            Err(librseq::Error::CompareFailed) => {
                counts.compare_failed += 1;
                time::yield_now();
            }
        }
    }
    Some(counts)
}

/// `false` if somebody else is in the slot that this thread has taken, which it gives back.
fn is_alone(owner: *mut usize, inside: *mut usize, name: usize) -> bool {
    // SAFETY: words of the slots, aligned and mapped; threads and sections access them as whole words.
    let (owner, inside) = unsafe { (AtomicUsize::from_ptr(owner), AtomicUsize::from_ptr(inside)) };
    let before = inside.swap(name, Ordering::SeqCst);
    (0..16).for_each(|turn| _ = core::hint::black_box(turn));
    let after = inside.swap(0, Ordering::SeqCst);
    owner.store(0, Ordering::SeqCst);
    before == 0 && after == name
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
