// error: types differ in mutability
use core::sync::atomic::AtomicUsize;
use rseq_core::percpu::{PossibleCpus, Slots, SlotsError};

static WORDS: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];

fn slots(cpus: &PossibleCpus) -> Result<Slots<'static>, SlotsError> {
    Slots::new(&WORDS, cpus)
}

fn main() {}
