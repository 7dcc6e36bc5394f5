// error: expected `Slots<'_, ByMmCid>`, found `Slots<'_>`
use rseq_core::ByMmCid;
use rseq_core::percpu::{SlotCounter, PossibleCpus, SlotStorage, SlotsError};

static STORAGE: SlotStorage<64> = SlotStorage::new();

fn by_cpu(cpus: &PossibleCpus) -> Result<SlotCounter<'static>, SlotsError> {
    Ok(SlotCounter::new(STORAGE.slots(cpus)?))
}

fn by_mm_cid(cpus: &PossibleCpus) -> Result<SlotCounter<'static, ByMmCid>, SlotsError> {
    Ok(SlotCounter::<ByMmCid>::new(STORAGE.slots(cpus)?))
}

fn main() {}
