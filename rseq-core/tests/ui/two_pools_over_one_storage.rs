// error: cannot borrow `*heads` as mutable more than once at a time
use rseq_core::percpu::{Node, Pool, PossibleCpus, SlotStorage, SlotsError};

fn both(heads: &mut SlotStorage<64>, cpus: &PossibleCpus, a: &mut [Node<u8>], b: &mut [Node<u8>]) -> Result<(), SlotsError> {
    let first = Pool::new(heads, cpus, a)?;
    let second = Pool::new(heads, cpus, b)?;
    drop((first, second));
    Ok(())
}

fn main() {}
