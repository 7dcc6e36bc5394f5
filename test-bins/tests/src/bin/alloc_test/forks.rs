//! Children of threads that are in the heap: the forks come from signal handlers, at any instruction of any thread.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use harness::abort_count::AbortCount;
use harness::ktap::{OrFail, Verdict};
use harness::load::{Load, Worker, count_signal};
use harness::options::{Options, PATIENCE};
use harness::percpu_ops::heap::{Blocks, Kept};
use harness::sys::process::{Ending, in_child};
use harness::sys::time::SECOND;
use harness::{ensure, in_time, note};
use rseq_heap::Heap;

static BLOCKS: Blocks<Heap> = Blocks::new(Heap::new());

/// Children that did all that they were to do.
static WELL: AtomicU32 = AtomicU32::new(0);
/// Children that did not, and the code of the last one.
static FAILED: AtomicU32 = AtomicU32::new(0);
static CODE: AtomicU32 = AtomicU32::new(0);
/// Of the children that did, those that were forked while a thread changed the spans, and so began others.
static ANEW: AtomicU32 = AtomicU32::new(0);
/// Forks that the kernel refused.
static REFUSED: AtomicU32 = AtomicU32::new(0);

const THREADS: u32 = 3;

/// The exit code of a child that found no spans, though its parent had some.
const BEGAN_ANEW: u8 = 10;

/// How long a child may take.
const HANGS: u64 = 20 * SECOND;

/// Forks a child at any point of the thread's work.
extern "C" fn fork(signal: i32) {
    match in_child(HANGS, &mut child) {
        Ok(Ending::Exited(0)) => WELL.fetch_add(1, Relaxed),
        Ok(Ending::Exited(BEGAN_ANEW)) => {
            ANEW.fetch_add(1, Relaxed);
            WELL.fetch_add(1, Relaxed)
        }
        Ok(Ending::Exited(code)) => failed(u32::from(code)),
        Ok(Ending::Killed(signal) | Ending::Stopped(signal)) => failed(1000 + signal),
        Err(_) => REFUSED.fetch_add(1, Relaxed),
    };
    count_signal(signal);
}

fn failed(code: u32) -> u32 {
    CODE.store(code, Relaxed);
    FAILED.fetch_add(1, Relaxed)
}

/// Uses the heap at once, also for blocks of threads that are not there; an exit code.
fn child() -> u8 {
    let [twice, spoiled] = [&BLOCKS.twice, &BLOCKS.spoiled].map(|count| count.load(Relaxed));
    // A block is counted once it is there, and until it is freed; a fork may come between two loads of the counts.
    let [allocated, freed] = [&BLOCKS.allocated, &BLOCKS.freed].map(|count| count.load(Relaxed));
    let had_spans = allocated.saturating_sub(freed) > THREADS.into();
    let code = if had_spans && BLOCKS.heap().usage().mapped == 0 { BEGAN_ANEW } else { 0 };
    let mut kept = Kept::new(7);
    if BLOCKS.use_some(&mut kept, 600).is_none() {
        return 1;
    }
    BLOCKS.free_left();
    BLOCKS.free_all(kept);
    if BLOCKS.twice.load(Relaxed) != twice {
        return 2;
    }
    if BLOCKS.spoiled.load(Relaxed) != spoiled { 3 } else { code }
}

/// Takes blocks that no CPU caches, and puts them back: for half of this time, the spans are being changed.
fn change_spans() -> bool {
    const LAYOUT: Layout = Layout::new::<[usize; 2000]>();
    (0..100).all(|_| {
        // SAFETY: the size is not 0, and the block is used no more.
        unsafe {
            let block = BLOCKS.heap().alloc(LAYOUT);
            let is_there = !block.is_null();
            if is_there {
                BLOCKS.heap().dealloc(block, LAYOUT);
            }
            is_there
        }
    })
}

/// Forks until there were enough children.
pub fn storm(options: &Options) -> Verdict {
    let enough = if options.short { 20 } else { 300 };
    let abort_count = AbortCount::start();
    let work = |worker: &Worker<'_>| {
        let mut kept = Kept::new(worker.index);
        let mut children = WELL.load(Relaxed);
        let mut step = || match worker.index {
            0 => change_spans(),
            _ => BLOCKS.use_some(&mut kept, 64).is_some(),
        };
        while worker.goes_on() && step() {
            let now = WELL.load(Relaxed) + FAILED.load(Relaxed);
            worker.saw(now.saturating_sub(children) as usize);
            children = now;
        }
        BLOCKS.free_all(kept);
    };
    let load = Load { handler: fork, ..Load::heavy(THREADS, options.nanoseconds, 3 * enough) };
    let done = |_: &_| FAILED.load(Relaxed) > 0 || WELL.load(Relaxed) as usize >= enough;
    load.run_until(PATIENCE, &done, &work).or_fail("the load")?;
    BLOCKS.free_left();
    let [well, failed, refused, code] = [&WELL, &FAILED, &REFUSED, &CODE].map(|count| count.load(Relaxed));
    let anew = ANEW.load(Relaxed);
    note!("{well} children used the heap, {anew} of them began anew, {failed} failed, {refused} were refused");
    abort_count.report();
    ensure!(
        failed == 0,
        "{failed} children failed, the last one with {code}: 2 is a block with two owners, 1009 a hang"
    );
    in_time!(well > 0, "no child was forked");
    in_time!(options.short || anew > 0, "no child was forked while a thread changed the spans");
    BLOCKS.is_exact()
}
