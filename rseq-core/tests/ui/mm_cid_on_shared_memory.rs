// error: an index that is not unique among the users of this storage
use rseq_core::ByMmCid;
use rseq_core::percpu::{Counter, Shared, Slots};

fn counter(slots: Slots<'_, 64, Shared>) -> Counter<'_, ByMmCid> {
    Counter::new(slots)
}

fn main() {}
