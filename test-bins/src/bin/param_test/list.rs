//! list: nodes that threads pop from one CPU's list and push to another's.

use crate::flavour::Flavour;
use crate::options::Params;
use crate::workers::{self, Totals, Worker, same};
use core::mem::offset_of;
use rseq_core::ops::librseq;
use test_bins::index::Choice;
use test_bins::ktap::{OrFail, Verdict};
use test_bins::slots::{Slots, View};
use test_bins::sys::memory::Mapping;
use test_bins::sys::time;

const NODES: usize = 100;

#[repr(C)]
struct Node {
    data: usize,
    next: usize,
}

/// Each thread pops a node and pushes it, wherever it is by then.
pub fn run<F: Flavour, C: Choice>(flavour: F, params: &Params, totals: &Totals) -> Verdict {
    let heads = Slots::new().or_fail("memory for the heads")?;
    let nodes = Mapping::private(heads.count() * NODES * size_of::<Node>()).or_fail("memory for the nodes")?;
    let expected = fill(&heads, nodes.address() as *mut Node);
    let (words, yields) = (heads.view(), params.yields);
    workers::run::<F, C>(params, totals, move |worker| {
        let Some(node) = pop(flavour, worker, words) else { return true };
        if yields {
            time::yield_now();
        }
        push(flavour, worker, words, node);
        true
    })?;
    same("the sum of the nodes' data", expected, drain(&heads))
}

/// Gives every list its nodes, and returns the sum of their data.
#[inline(never)]
fn fill(heads: &Slots, nodes: *mut Node) -> usize {
    let mut sum = 0;
    for (slot, head) in heads.words().enumerate() {
        for data in 1..=NODES {
            let node = nodes.wrapping_add(slot * NODES + data - 1);
            // SAFETY: `nodes` has NODES nodes for each slot, and no thread runs yet.
            unsafe {
                node.write(Node { data, next: head.read() });
                head.write(node as usize);
            }
            sum += data;
        }
    }
    sum
}

fn pop<F: Flavour, C: Choice>(flavour: F, worker: &mut Worker<'_, F, C>, heads: View) -> Option<*mut Node> {
    let mut popped = 0usize;
    loop {
        let load = &raw mut popped;
        let result = worker.once(|worker, slot| {
            let Some(head) = heads.word(slot) else { return Err(librseq::Error::Aborted) };
            let next = offset_of!(Node, next);
            // SAFETY: a head is 0 or the address of a node, whose link is at `next`; `load` is a local; a slot number is not
            // -1 or -2.
            unsafe { flavour.load_cbeq_store_add_load_store(worker.token, slot, head, 0, next, load) }
        });
        match result {
            // SAFETY: the section wrote the local.
            Some((_, Ok(_))) => return Some(unsafe { load.read_volatile() } as *mut Node),
            Some((_, Err(_))) => return None,
            None => {}
        }
    }
}

fn push<F: Flavour, C: Choice>(flavour: F, worker: &mut Worker<'_, F, C>, heads: View, node: *mut Node) {
    worker.retry(|worker, slot| {
        let Some(head) = heads.word(slot) else { return Err(librseq::Error::Aborted) };
        // SAFETY: the head is the slot's, the node this thread's alone until the section commits; a slot number is not -1
        // or -2.
        unsafe {
            let first = head.read_volatile();
            (&raw mut (*node).next).write_volatile(first);
            flavour.load_cbne_store(worker.token, slot, head, first, node as usize)
        }
    });
}

/// Empties the lists, and returns the sum of the data found.
#[inline(never)]
fn drain(heads: &Slots) -> usize {
    let mut sum = 0;
    for head in heads.words() {
        // SAFETY: no thread runs any more; heads and links are 0 or the address of a node.
        unsafe {
            let mut node = head.read_volatile() as *const Node;
            while !node.is_null() {
                sum += (*node).data;
                node = (*node).next as *const Node;
            }
        }
    }
    sum
}
