//! membarrier: a manager swaps the lists that the workers' sections use; after the fence, no section uses the old one.

use crate::flavour::Flavour;
use crate::options::Params;
use crate::workers::{self, Totals};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use harness::exact::exact;
use harness::index::Choice;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::slots::{SECOND, STRIDE, Slots};
use harness::sys::cpu;
use harness::{fail, in_time, note, skip};
use rseq_core::sys::{Fence, MembarrierError, membarrier_query, membarrier_rseq, register_membarrier_rseq};
use rseq_core::{ByCpu, Index};

/// How long the manager watches an inactive list, in spins: long enough for a stretched section that the fence missed
/// to end, or for a plain one, nanoseconds long, whose thread the fence has just interrupted.
const STRETCHED: u32 = 50_000;
const PLAIN: u32 = 300;
/// Most fences for one CPU interrupt no section.
const NONE: u32 = 0;

/// Slots of the lists of plain sections, as in the C program: most of their CPUs cannot be, and their fences cost
/// little.
const MANY: usize = 1024;

/// Stretched sections that are not over before the manager looks once, unless it shares the only CPU with all workers.
const MANY_SECTIONS: usize = 10_000;

/// A list: for each slot a pointer to its counter, which is the slot's second word.
struct List(Slots);

impl List {
    #[inline(never)]
    fn new(at_least: usize) -> Result<Self, Unmet> {
        let slots = Slots::at_least(at_least).or_fail("memory for a list")?;
        for head in slots.words() {
            // SAFETY: the word is the slot's, and no thread runs yet.
            unsafe { head.write(head as usize + SECOND) };
        }
        Ok(Self(slots))
    }

    fn address(&self) -> usize {
        self.0.base() as usize
    }

    /// The counter that a slot's head leads to; 0 beyond the last.
    fn counter(&self, slot: usize) -> usize {
        // SAFETY: the head is the slot's and holds the address of its counter; both live as long as `self`.
        self.0
            .word(slot)
            .map_or(0, |head| unsafe { AtomicUsize::from_ptr(*head as *mut usize) }.load(Ordering::Acquire))
    }
}

/// Workers add to the counter that the active list leads to; the manager looks at the other one.
pub fn run<F: Flavour, C: Choice>(flavour: F, params: &Params, totals: &Totals) -> Verdict {
    available()?;
    let (patience, least) = match fence::<C>(0) {
        _ if F::INJECTS => (STRETCHED, 0),
        Fence::All => (PLAIN, MANY),
        Fence::Cpu(_) => (NONE, MANY),
    };
    let lists = [List::new(least)?, List::new(least)?];
    let active = AtomicUsize::new(lists[0].address());
    let stop = AtomicBool::new(false);
    let mut managed = Ok(Swaps::default());
    let worked = rseq_rt::thread::scope(|scope| {
        let manager = Manager { lists: &lists, active: &active, stop: &stop, patience };
        let manager = scope.spawn(move || manager.run::<C>()).or_fail("starting the manager")?;
        let active = &active;
        let worked = workers::run::<F, C>(params, totals, move |worker| {
            let done = worker.retry(move |token, slot| {
                let (array, offset) = (active.as_ptr(), slot * STRIDE);
                // SAFETY: `array` holds the address of one of the lists, where `offset` leads to the slot; heads hold
                // the address of a counter; a slot number is not -1 or -2.
                Ok(unsafe { flavour.load_add_load_load_increment(token, slot, array, offset) }?)
            });
            done.is_some()
        });
        stop.store(true, Ordering::Release);
        managed = manager.join();
        worked
    });
    worked?;
    let Swaps { all, busy } = managed?;
    note!("{all} swaps, {busy} of them with a look at a counter in use");
    let (done, found) =
        (totals.done.load(Ordering::Relaxed), lists.iter().map(|list| list.0.sum_of_seconds()).sum::<usize>());
    exact(done as u64, found as u64)?;
    let can_look = F::INJECTS && done >= MANY_SECTIONS && cpu::affinity(0).is_ok_and(|allowed| allowed.count() > 1);
    in_time!(busy > 0 || !can_look, "no counter was looked at while workers used it");
    Ok(())
}

/// Registers the process for the fence; a skip where the kernel has none.
fn available() -> Verdict {
    let commands = membarrier_query().map_err(|error| match error {
        MembarrierError::NoSyscall => skip!("this kernel has no membarrier"),
        error => fail!("membarrier query: {}", error.errno()),
    })?;
    if !commands.has_rseq() {
        return Err(skip!("this kernel has no rseq membarrier (Linux 5.10)"));
    }
    register_membarrier_rseq().map_err(|error| fail!("membarrier registration: {}", error.errno()))
}

/// How often the lists were swapped.
#[derive(Default)]
struct Swaps {
    all: usize,
    /// With a look at a counter that workers have used and may use again.
    busy: usize,
}

/// The thread that swaps the lists.
struct Manager<'r> {
    lists: &'r [List; 2],
    active: &'r AtomicUsize,
    stop: &'r AtomicBool,
    patience: u32,
}

impl Manager<'_> {
    /// Swaps the lists until `stop`. What the fence stopped in the inactive list must stand still between two swaps:
    /// every counter, or that of the one CPU that was fenced.
    fn run<C: Choice>(&self) -> Result<Swaps, Unmet> {
        let Self { lists, active, stop, patience } = *self;
        let mut swaps = Swaps::default();
        let slots = lists[0].0.count();
        let mut seed = 1usize;
        let mut inactive = 1;
        let stopped = |list: usize, slot| match fence::<C>(slot) {
            Fence::All => lists[list].0.sum_of_seconds(),
            Fence::Cpu(_) => lists[list].counter(slot),
        };
        // Most slots are never used: the first look is at one that is.
        let mut used = self.wait_for_use();
        let (mut slot, mut expected) = (0, 0);
        while !stop.load(Ordering::Acquire) {
            let found = stopped(inactive, slot);
            harness::ensure!(found == expected, "the inactive list (slot {slot}) went from {expected} to {found}");
            active.store(lists[inactive].address(), Ordering::Release);
            inactive = 1 - inactive;
            // A linear congruence after Knuth: any slot, in no order.
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            slot = used.take().unwrap_or((seed >> 16) % slots);
            membarrier_rseq(fence::<C>(slot)).map_err(|error| fail!("membarrier: {}", error.errno()))?;
            expected = stopped(inactive, slot);
            swaps.all += 1;
            swaps.busy += usize::from(expected > 0 && !stop.load(Ordering::Acquire));
            for _ in 0..patience {
                core::hint::spin_loop();
            }
        }
        Ok(swaps)
    }

    /// A slot of the first list whose counter is no longer 0; None if the workers have ended before.
    fn wait_for_use(&self) -> Option<usize> {
        let list = &self.lists[0];
        while !self.stop.load(Ordering::Acquire) {
            let used = (0..list.0.count()).find(|slot| list.counter(*slot) > 0);
            if used.is_some() {
                return used;
            }
            core::hint::spin_loop();
        }
        None
    }
}

/// A slot that is a CPU is fenced by itself; a concurrency ID may be on any CPU.
fn fence<C: Choice>(slot: usize) -> Fence {
    if C::OFFSET == ByCpu::OFFSET { Fence::Cpu(slot as u32) } else { Fence::All }
}
