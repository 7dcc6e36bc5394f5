// error: expected `Slots<'_, ByMmCid>`, found `Slots<'_>`
use rseq_core::ByMmCid;
use rseq_core::percpu::{Counter, PossibleCpus, SlotStorage, SlotsError};

static STORAGE: SlotStorage<64> = SlotStorage::new();

fn by_cpu(cpus: &PossibleCpus) -> Result<Counter<'static>, SlotsError> {
    Ok(Counter::new(STORAGE.slots(cpus)?))
}

fn by_mm_cid(cpus: &PossibleCpus) -> Result<Counter<'static, ByMmCid>, SlotsError> {
    Ok(Counter::<ByMmCid>::new(STORAGE.slots(cpus)?))
}

fn main() {}
