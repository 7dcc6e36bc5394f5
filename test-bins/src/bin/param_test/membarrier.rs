//! membarrier: a manager swaps the lists that the workers' sections use; after the fence, nobody touches the old one.

use crate::flavour::Flavour;
use crate::options::Params;
use crate::workers::{self, Totals};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use rseq_core::sys::{Fence, MembarrierError, membarrier_query, membarrier_rseq, register_membarrier_rseq};
use rseq_core::{CpuId, Index};
use test_bins::index::Choice;
use test_bins::ktap::{OrFail, Unmet, Verdict};
use test_bins::slots::{STRIDE, Slots};
use test_bins::{fail, note, skip};

/// How long the manager watches an inactive list, in spins: long enough for a stretched section that the fence missed to end.
/// Plain ones take nanoseconds.
const STRETCHED: u32 = 50_000;
const PLAIN: u32 = 0;

/// Slots that the manager chooses among, as the C program does: most of their CPUs cannot be, and their fences cost little.
const CHOICE: usize = 1024;

/// A list: for each slot a pointer to a counter.
struct List {
    heads: Slots,
    counters: Slots,
}

impl List {
    #[inline(never)]
    fn new() -> Result<Self, Unmet> {
        let list = Self {
            heads: Slots::new().or_fail("memory for the heads")?,
            counters: Slots::new().or_fail("memory for the counters")?,
        };
        for (head, counter) in list.heads.words().zip(list.counters.words()) {
            // SAFETY: the word is the slot's, and no thread runs yet.
            unsafe { head.write(counter as usize) };
        }
        Ok(list)
    }

    fn address(&self) -> usize {
        self.heads.base() as usize
    }

    /// The counter of one slot; 0 beyond the last.
    fn counter(&self, slot: usize) -> usize {
        // SAFETY: the word is the slot's, which lives as long as `self`.
        self.counters.word(slot).map_or(0, |word| unsafe { AtomicUsize::from_ptr(word) }.load(Ordering::Acquire))
    }
}

/// Workers add to the counter that the active list leads to; the manager looks at the other one.
pub fn run<F: Flavour, C: Choice>(flavour: F, params: &Params, totals: &Totals) -> Verdict {
    available()?;
    let lists = [List::new()?, List::new()?];
    let active = AtomicUsize::new(lists[0].address());
    let stop = AtomicBool::new(false);
    let patience = if F::INJECTS { STRETCHED } else { PLAIN };
    let mut managed = Ok(0);
    let worked = rseq_rt::thread::scope(|scope| {
        let manager = scope.spawn(|| manage::<C>(&lists, &active, &stop, patience)).or_fail("starting the manager")?;
        let worked = workers::run::<F, C>(flavour, params, totals, |worker| {
            worker.retry(|worker, slot| {
                let (array, offset) = (active.as_ptr(), slot * STRIDE);
                // SAFETY: `array` holds the address of one of the lists, where `offset` leads to the slot; heads hold
                // the address of a counter; a slot number is not -1 or -2.
                unsafe { flavour.load_add_load_load_add_store(worker.token, worker.index, slot, array, offset, 1) }
            });
            true
        });
        stop.store(true, Ordering::Release);
        managed = manager.join();
        worked
    });
    worked?;
    note!("{} swaps", managed?);
    let found = lists.iter().map(|list| list.counters.sum()).sum();
    workers::same("the sum of the counters", totals.done.load(Ordering::Relaxed), found)
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

/// Swaps the lists until `stop`. The counter of one slot of the inactive list must stand still between two swaps.
fn manage<C: Choice>(
    lists: &[List; 2],
    active: &AtomicUsize,
    stop: &AtomicBool,
    patience: u32,
) -> Result<usize, Unmet> {
    let mut swaps = 0;
    let slots = lists[0].heads.count().max(CHOICE);
    let mut seed = 1usize;
    let mut inactive = 1;
    let (mut slot, mut expected) = (0, 0);
    while !stop.load(Ordering::Acquire) {
        let found = lists[inactive].counter(slot);
        test_bins::ensure!(found == expected, "slot {slot} of the inactive list went from {expected} to {found}");
        active.store(lists[inactive].address(), Ordering::Release);
        inactive = 1 - inactive;
        // A linear congruence after Knuth: any slot, in no order.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        slot = (seed >> 16) % slots;
        membarrier_rseq(fence::<C>(slot)).map_err(|error| fail!("membarrier: {}", error.errno()))?;
        expected = lists[inactive].counter(slot);
        swaps += 1;
        for _ in 0..patience {
            core::hint::spin_loop();
        }
    }
    Ok(swaps)
}

/// A slot that is a CPU is fenced by itself; a concurrency ID may be on any CPU.
fn fence<C: Choice>(slot: usize) -> Fence {
    if C::Index::OFFSET == CpuId::OFFSET { Fence::Cpu(slot as u32) } else { Fence::All }
}
