//! list: nodes that threads pop from one CPU's list and push to another's.

use crate::flavour::Flavour;
use crate::inject;
use crate::options::Params;
use crate::workers::{self, Stop, Totals, Worker, same};
use core::mem::{MaybeUninit, offset_of};
use core::ptr::NonNull;
use harness::index::Choice;
use harness::ktap::{OrFail, Verdict};
use harness::slots::{Slots, View};
use harness::sys::memory::Mapping;
use rseq_core::ops::librseq;

const NODES: usize = 100;

/// The link is where the section that pops expects it.
#[repr(C)]
struct Node {
    data: u64,
    next: usize,
}

const _: () = assert!(offset_of!(Node, next) == 8);

/// Each thread pops a node and pushes it, wherever it is by then.
pub fn run<F: Flavour, C: Choice>(flavour: F, params: &Params, totals: &Totals) -> Verdict {
    let heads = Slots::new().or_fail("memory for the heads")?;
    let nodes = Mapping::private(heads.count() * NODES * size_of::<Node>()).or_fail("memory for the nodes")?;
    let expected = fill(&heads, nodes.address() as *mut Node);
    let (words, yields) = (heads.view(), params.yields);
    workers::run::<F, C>(params, totals, move |worker| {
        let Some(node) = pop(flavour, worker, words) else { return true };
        if yields {
            inject::give_way();
        }
        push(flavour, worker, words, node.as_ptr()).is_some()
    })?;
    same("the sum of the nodes' data", expected, drain(&heads))
}

/// Gives every list its nodes, and returns the sum of their data.
#[inline(never)]
fn fill(heads: &Slots, nodes: *mut Node) -> usize {
    let mut sum = 0;
    for (slot, head) in heads.words().enumerate() {
        for number in 1..=NODES {
            let node = nodes.wrapping_add(slot * NODES + number - 1);
            // SAFETY: `nodes` has NODES nodes for each slot, and no thread runs yet.
            unsafe {
                node.write(Node { data: number as u64, next: head.read() });
                head.write(node as usize);
            }
            sum += number;
        }
    }
    sum
}

/// None is an empty list.
#[inline(always)]
fn pop<F: Flavour, C: Choice>(flavour: F, worker: &mut Worker<'_, F, C>, heads: View) -> Option<NonNull<Node>> {
    let mut popped = MaybeUninit::<usize>::uninit();
    let load = popped.as_mut_ptr();
    worker.retry(move |token, slot| {
        // SAFETY: a head is 0 or the address of a node, whose link is at 8; `load` is a local; a slot number is not -1
        // or -2.
        let result = unsafe { flavour.load_cbz_store_load_store(token, slot, heads.word(slot), load) };
        result.map_err(|error| match error {
            librseq::Error::Aborted => Stop::Aborted,
            librseq::Error::CompareFailed => Stop::Exhausted,
        })?;
        // SAFETY: the section wrote the local: the address of a node.
        Ok(unsafe { NonNull::new_unchecked(load.read_volatile() as *mut Node) })
    })
}

#[inline(always)]
fn push<F: Flavour, C: Choice>(flavour: F, worker: &mut Worker<'_, F, C>, heads: View, node: *mut Node) -> Option<()> {
    worker.retry(move |token, slot| {
        let head = heads.word(slot);
        // SAFETY: the head is the slot's, the node this thread's alone until the section commits; a slot number is not
        // -1 or -2.
        unsafe {
            let first = head.read_volatile();
            (&raw mut (*node).next).write_volatile(first);
            flavour.load_cbne_store(token, slot, head, first, node as usize)?;
        }
        Ok(())
    })
}

/// Empties the lists, and returns the sum of the data found.
#[inline(never)]
fn drain(heads: &Slots) -> usize {
    let mut sum = 0;
    for head in heads.words() {
        // SAFETY: no thread runs now; heads and links are 0 or the address of a node.
        unsafe {
            let mut node = head.read_volatile() as *const Node;
            while !node.is_null() {
                sum += (*node).data as usize;
                node = (*node).next as *const Node;
            }
        }
    }
    sum
}
