//! Per-CPU types whose CPUs come and go: nothing is lost, and another CPU empties what an offline one has left.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use harness::abort_count::AbortCount;
use harness::exact::exact;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::options::PATIENCE;
use harness::sys::cpu::{self, Set};
use harness::sys::time::{self, Deadline, MILLISECOND};
use harness::{ensure, fail, in_time, note, skip};
use rseq_core::percpu::{Consumer, Counter, Region, Ring, Stack};
use rseq_core::{Status, status};

use crate::switch::{Switch, Unplugging};

/// Times that the CPU goes and comes back.
const ROUNDS: usize = 4;
const WORKERS: usize = 2;
/// Items that are left on the CPU before it goes.
const LEFT: usize = 3;

static COUNTER: Counter = Counter::new();
static STACK: Stack<usize, 60> = Stack::new();
static RING: Ring = Ring::new(4096);
static REGION: Region = Region::new();
/// What only the thread that takes the CPU offline uses.
static QUIET: Stack<usize, 60> = Stack::new();
static QUIET_REGION: Region = Region::new();

/// Items of a stack: how many, and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Items {
    count: usize,
    sum: usize,
}

impl Items {
    fn add(&mut self, item: usize) {
        *self = self.and(Self { count: 1, sum: item });
    }

    fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, sum: self.sum.wrapping_add(other.sum) }
    }
}

/// What threads did.
#[derive(Clone, Copy, Default)]
struct Done {
    rounds: u64,
    records: u64,
    pushed: Items,
    popped: Items,
    /// Items of the region that did not hold what was written to them.
    spoiled: usize,
}

/// Workers use a counter, a stack, a ring and a region while a CPU is taken offline and brought back.
pub fn come_and_go(unplugging: Unplugging) -> Verdict {
    let switch = Switch::open(unplugging)?;
    if let Status::Off(cause) = status() {
        return Err(skip!("{cause}"));
    }
    let (stop, abort_count) = (AtomicBool::new(false), AbortCount::start());
    let mut consumer = RING.consumer().map_err(|error| fail!("{error}"))?;
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let (mut done, cycled) = rseq_rt::thread::scope(|scope| {
        let mut workers = [const { None }; WORKERS];
        for (number, worker) in workers.iter_mut().enumerate() {
            let stop = &stop;
            *worker = scope.spawn(move || work(number + 1, stop)).ok();
        }
        let cycled = cycle(&switch, &allowed, &mut consumer);
        await_abort(&abort_count, &mut consumer);
        stop.store(true, Relaxed);
        let all = workers.map(|worker| worker.map(|worker| worker.join()));
        let mut sum = Done::default();
        for done in all {
            let done = done.or_fail("a thread")?;
            sum.rounds += done.rounds;
            sum.records += done.records;
            sum.pushed = sum.pushed.and(done.pushed);
            sum.popped = sum.popped.and(done.popped);
            sum.spoiled += done.spoiled;
        }
        Ok::<_, Unmet>((sum, cycled?))
    })?;
    cpu::set_affinity(0, &allowed).or_fail("sched_setaffinity")?;
    done.pushed = done.pushed.and(cycled.left);
    abort_count.report();
    is_exact(&done, cycled.drained, &mut consumer)?;
    in_time!(abort_count.aborts().map_or(true, |aborts| aborts > 0), "no section was aborted before the deadline");
    Ok(())
}

/// Lets the workers continue until the kernel has counted one of their aborts, if it counts. No signals interrupt them,
/// and where there are many CPUs, hardly anything else does.
fn await_abort(abort_count: &AbortCount, consumer: &mut Consumer<'_>) {
    let deadline = Deadline::after(PATIENCE);
    while matches!(abort_count.aborts(), Ok(0)) && !deadline.is_past() {
        time::sleep(MILLISECOND);
        consumer.read(|_| ());
    }
}

fn is_exact(done: &Done, drained: Items, consumer: &mut Consumer<'_>) -> Verdict {
    let mut left = Items::default();
    STACK.drain_all(|item| left.add(item)).map_err(|error| fail!("draining all stacks: {error}"))?;
    while consumer.read(|_| ()) > 0 {}
    let totals = RING.totals();
    note!(
        "{} rounds; {} items, {} of them drained from an offline CPU; {} records, {} dropped",
        done.rounds,
        done.pushed.count,
        drained.count,
        done.records,
        totals.dropped
    );
    let counted = done.rounds + ROUNDS as u64;
    exact(counted, COUNTER.sum())?;
    let found = done.popped.and(drained).and(left);
    exact(done.pushed.count as u64, found.count as u64)?;
    ensure!(found == done.pushed, "found {found:?} of the items {:?}", done.pushed);
    let written = done.records + ROUNDS as u64;
    ensure!(totals.read + totals.dropped == written, "{written} records became {totals:?}");
    ensure!(done.spoiled == 0, "{} items of the region had two owners", done.spoiled);
    ensure!(done.rounds > 0, "the workers did nothing");
    Ok(())
}

fn work(number: usize, stop: &AtomicBool) -> Done {
    let mut done = Done::default();
    while !stop.load(Relaxed) {
        done.rounds += 1;
        let item = number << 24 | done.rounds as usize & 0xff_ffff;
        let kept = allocated(item);
        COUNTER.inc();
        if STACK.push(item).is_ok() {
            done.pushed.add(item);
        }
        if done.rounds % 2 == 0
            && let Some(item) = STACK.pop()
        {
            done.popped.add(item);
        }
        let _ = RING.push_words(&[number, item]);
        done.records += 1;
        done.spoiled += usize::from(kept.is_none_or(|kept| freed(&REGION, kept) != item));
    }
    done
}

const WORD: Layout = Layout::new::<usize>();

/// An item of the region that holds a word.
fn allocated(word: usize) -> Option<NonNull<usize>> {
    let item = REGION.alloc(WORD).ok()?.cast::<usize>();
    // SAFETY: the item is a word at least, aligned to one, and this thread's until it frees it.
    unsafe { item.write_volatile(word) };
    Some(item)
}

/// Frees an item of a region, and returns the word that it held.
fn freed(region: &Region, item: NonNull<usize>) -> usize {
    // SAFETY: the item is this thread's, allocated from this region with this layout, and not used hereafter.
    unsafe {
        let word = item.read_volatile();
        region.free(item.cast(), WORD);
        word
    }
}

/// Items of the workers' stack of the CPU that comes and goes: those left there before, and those found there while it
/// is offline.
#[derive(Default)]
struct Cycled {
    left: Items,
    drained: Items,
}

/// Takes the CPU offline and brings it back.
fn cycle(switch: &Switch, allowed: &Set, consumer: &mut Consumer<'_>) -> Result<Cycled, Unmet> {
    let mut cycled = Cycled::default();
    for _ in 0..ROUNDS {
        for _ in 0..10 {
            time::sleep(MILLISECOND);
            consumer.read(|_| ());
        }
        leave(switch.cpu, &mut cycled.left)?;
        cpu::set_affinity(0, allowed).or_fail("sched_setaffinity")?;
        switch.offline().or_fail("taking a CPU offline")?;
        let emptied = empty(switch.cpu, consumer, &mut cycled.drained);
        switch.online().or_fail("bringing a CPU online")?;
        emptied?;
    }
    Ok(cycled)
}

/// Leaves something of each type on the CPU that is about to go.
fn leave(cpu: u32, left: &mut Items) -> Verdict {
    cpu::set_affinity(0, &Set::only(cpu)).or_fail("sched_setaffinity")?;
    COUNTER.inc();
    for item in 1..=LEFT {
        QUIET.push(item).map_err(|_| fail!("no room on the stack of CPU {cpu}"))?;
    }
    let item = QUIET_REGION.alloc(WORD).map_err(|error| fail!("the region: {error}"))?.cast::<usize>();
    freed(&QUIET_REGION, item);
    // The workers' items and records may leave no room: there are some then.
    if STACK.push(cpu as usize).is_ok() {
        left.add(cpu as usize);
    }
    let _ = RING.push_words(&[0, cpu as usize]);
    Ok(())
}

/// Empties what an offline CPU has left, from another one.
fn empty(cpu: u32, consumer: &mut Consumer<'_>, drained: &mut Items) -> Verdict {
    let mut quiet = Items::default();
    let count = QUIET.drain(cpu, |item| quiet.add(item)).map_err(|error| fail!("draining CPU {cpu}: {error}"))?;
    let expected = Items { count: LEFT, sum: (1..=LEFT).sum() };
    ensure!(count == LEFT && quiet == expected, "{quiet:?} of the items {expected:?} are on the stack of CPU {cpu}");
    STACK.drain(cpu, |item| drained.add(item)).map_err(|error| fail!("draining CPU {cpu}: {error}"))?;
    ensure!(STACK.len_of(cpu) == 0, "{} items on the stack of CPU {cpu}, which is offline", STACK.len_of(cpu));
    let mut from_there = 0;
    while consumer.read(|record| from_there += usize::from(record.index() == Some(cpu))) > 0 && from_there == 0 {}
    ensure!(from_there > 0, "no record of CPU {cpu}");
    let item = QUIET_REGION.alloc(WORD).map_err(|error| fail!("the region: {error}"))?.cast::<usize>();
    freed(&QUIET_REGION, item);
    Ok(())
}
