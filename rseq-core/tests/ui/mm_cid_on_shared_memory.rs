// error: an index that is not unique among the users of this storage
use core::sync::atomic::AtomicUsize;
use rseq_core::ByMmCid;
use rseq_core::percpu::{PossibleCpus, Slots, SlotsError};

fn slots<'a>(words: &'a [AtomicUsize], cpus: &PossibleCpus) -> Result<Slots<'a, ByMmCid>, SlotsError> {
    unsafe { Slots::shared(words, cpus) }
}

fn main() {}
