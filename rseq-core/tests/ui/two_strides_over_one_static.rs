// error: expected `128`, found `64`
use rseq_core::ByCpu;
use rseq_core::percpu::{Counter, PossibleCpus, SlotStorage, SlotsError};

static STORAGE: SlotStorage<64> = SlotStorage::new();

fn wide(cpus: &PossibleCpus) -> Result<Counter<'static, ByCpu, 128>, SlotsError> {
    Ok(Counter::<ByCpu, 128>::new(STORAGE.slots(cpus)?))
}

fn main() {}
