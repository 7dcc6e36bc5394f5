// error: expected `128`, found `64`
use rseq_core::ByCpu;
use rseq_core::percpu::{SlotCounter, PossibleCpus, SlotStorage, SlotsError};

static STORAGE: SlotStorage<64> = SlotStorage::new();

fn wide(cpus: &PossibleCpus) -> Result<SlotCounter<'static, ByCpu, 128>, SlotsError> {
    Ok(SlotCounter::<ByCpu, 128>::new(STORAGE.slots(cpus)?))
}

fn main() {}
