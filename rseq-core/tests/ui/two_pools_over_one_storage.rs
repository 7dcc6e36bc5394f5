// error: cannot borrow `*heads` as mutable more than once at a time
use rseq_core::percpu::{Node, SlotPool, PossibleCpus, SlotStorage, SlotsError};

fn both(heads: &mut SlotStorage<64>, cpus: &PossibleCpus, nodes: [&mut [Node<u8>]; 2]) -> Result<(), SlotsError> {
    let [some, others] = nodes;
    let first = SlotPool::new(heads, cpus, some)?;
    let second = SlotPool::new(heads, cpus, others)?;
    drop((first, second));
    Ok(())
}

fn main() {}
