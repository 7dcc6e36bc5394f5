// error: cannot borrow `*words` as mutable more than once at a time
use core::sync::atomic::AtomicUsize;
use rseq_core::percpu::{SlotCounter, PossibleCpus, Slots, SlotsError};
use rseq_core::{ByCpu, ByMmCid};

fn both(words: &mut [AtomicUsize], cpus: &PossibleCpus) -> Result<usize, SlotsError> {
    let by_cpu = SlotCounter::new(Slots::<ByCpu>::new(words, cpus)?);
    let by_mm_cid = SlotCounter::new(Slots::<ByMmCid>::new(words, cpus)?);
    Ok(by_cpu.sum() + by_mm_cid.sum())
}

fn main() {}
