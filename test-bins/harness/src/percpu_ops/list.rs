//! A linked list per slot: nodes are popped and pushed by sections, and none may be lost or doubled.

use rseq_core::ops::librseq::{self, load_cbeq_store_add_load_store, load_cbne_store};
use rseq_core::ops::this_cpu;
use rseq_core::{Committed, OwnArea};

use super::{Counts, Gauge, Tally, under_load};
use crate::index::{Choice, Here};
use crate::ktap::{OrFail, Verdict};
use crate::load::Worker;
use crate::options::Options;
use crate::slots::{STRIDE, Slots};
use crate::sys::memory::Mapping;
use crate::sys::time;

/// Nodes on each slot's list at first.
const NODES: usize = 32;

/// A node: its link, then its number.
#[repr(C)]
struct Node {
    next: usize,
    number: usize,
}

/// How a node is taken off and put back.
pub enum Sections {
    /// librseq's: the caller picks the slot.
    Aimed,
    /// Those that load the index themselves.
    Here,
}

struct Lists {
    heads: Slots,
    nodes: Mapping,
}

impl Lists {
    fn new() -> Result<Self, crate::ktap::Unmet> {
        let heads = Slots::new().or_fail("memory for the lists")?;
        let nodes = Mapping::private(heads.count() * NODES * size_of::<Node>()).or_fail("memory for the nodes")?;
        let lists = Self { heads, nodes };
        for number in 0..lists.total() {
            lists.put(number)?;
        }
        Ok(lists)
    }

    fn total(&self) -> usize {
        self.heads.count() * NODES
    }

    /// Puts node `number` on a list while no worker runs.
    fn put(&self, number: usize) -> Verdict {
        let head = self.heads.word(number / NODES).or_fail("a list for each node")?;
        let node = self.nodes.slot::<Node>(number).or_fail("memory for each node")?;
        // SAFETY: head and node are mapped words that no thread uses yet.
        unsafe {
            node.write(Node { next: head.read(), number });
            head.write(node as usize);
        }
        Ok(())
    }

    /// Every node is on exactly one list. `seen` marks them in their own numbers, so the lists are used up.
    fn is_whole(&self) -> Verdict {
        let mut found = 0;
        for head in self.heads.words() {
            // SAFETY: no worker runs any more; volatile, for sections wrote the heads and links.
            let mut node = unsafe { head.read_volatile() } as *mut Node;
            while !node.is_null() {
                // SAFETY: links lead to nodes of the mapping or are 0.
                let Node { next, number } = unsafe { node.read_volatile() };
                crate::ensure!(number < self.total(), "a node is on two lists, or one list is a ring");
                // SAFETY: as above; the mark lies outside of every number.
                unsafe { (&raw mut (*node).number).write_volatile(usize::MAX) };
                found += 1;
                node = next as *mut Node;
            }
        }
        crate::ensure!(found == self.total(), "{found} nodes of {} are left", self.total());
        Ok(())
    }
}

/// Moves nodes between lists under load, and searches for each of them afterwards.
pub fn test<C: Choice>(options: &Options, sections: &Sections) -> Verdict {
    C::of(crate::registration::token()?)?;
    let lists = Lists::new()?;
    let tally = Tally::default();
    let (record, kernel) = under_load(options, matches!(sections, Sections::Here), &|worker| {
        tally.add(work::<C>(worker, &lists.heads, sections))
    })?;
    lists.is_whole()?;
    tally.judge(C::NAME, matches!(sections, Sections::Here), &record, kernel)
}

fn work<C: Choice>(worker: &Worker<'_>, heads: &Slots, sections: &Sections) -> Option<Counts> {
    let token = rseq_rt::current()?;
    let mut gauge = Gauge::new()?;
    let mut counts = Counts::default();
    let (pop, push): (Pop, Push) = match sections {
        Sections::Aimed => (pop_aimed::<C>, push_aimed::<C>),
        Sections::Here => (pop_self::<C>, push_self::<C>),
    };
    while worker.goes_on() {
        let before = counts.aborted;
        let node = pop(token, heads, &mut counts)?;
        // Now and then, the node is pushed on the list that is this thread's at that time.
        if counts.done % 64 == 0 {
            time::yield_now();
            if matches!(sections, Sections::Here) {
                counts.aborted += gauge.restarts::<C>(token)?;
            }
        }
        if let Some(node) = node {
            push(token, heads, node, &mut counts)?;
            counts.done += 1;
        }
        worker.saw(counts.aborted - before);
    }
    Some(counts)
}

/// `Some(None)` is an empty list, `None` a thread that is not registered.
type Pop = fn(Here, &Slots, &mut Counts) -> Option<Option<*mut Node>>;
type Push = fn(Here, &Slots, *mut Node, &mut Counts) -> Option<()>;

fn pop_aimed<C: Choice>(token: Here, heads: &Slots, counts: &mut Counts) -> Option<Option<*mut Node>> {
    let mut popped = 0usize;
    loop {
        let slot = C::value(token);
        let (token, head, popped) = (C::of(token).ok()?, heads.word(slot)?, &raw mut popped);
        // SAFETY: the slot's own head, whose nodes stay mapped and have their link at 0; `popped` is a local.
        match unsafe { load_cbeq_store_add_load_store(token, slot, head, 0, 0, popped) } {
            // SAFETY: the local, written by the section.
            Ok(Committed) => return Some(Some(unsafe { popped.read_volatile() } as *mut Node)),
            Err(librseq::Error::Aborted) => counts.aborted += 1,
            Err(librseq::Error::CompareFailed) => {
                counts.compare_failed += 1;
                return Some(None);
            }
        }
    }
}

fn push_aimed<C: Choice>(token: Here, heads: &Slots, node: *mut Node, counts: &mut Counts) -> Option<()> {
    loop {
        let slot = C::value(token);
        let head = heads.word(slot)?;
        // SAFETY: the slot's own head, and a node that this thread has popped.
        let expect = unsafe { head.read_volatile() };
        // SAFETY: as above.
        unsafe { (&raw mut (*node).next).write_volatile(expect) };
        // SAFETY: the slot's own head; a slot number is not -1 or -2.
        match unsafe { load_cbne_store(C::of(token).ok()?, slot, head, expect, node as usize) } {
            Ok(Committed) => return Some(()),
            Err(librseq::Error::Aborted) => counts.aborted += 1,
            Err(librseq::Error::CompareFailed) => counts.compare_failed += 1,
        }
    }
}

fn pop_self<C: Choice>(token: Here, heads: &Slots, counts: &mut Counts) -> Option<Option<*mut Node>> {
    let token = C::of(token).ok()?;
    // SAFETY: base and number are the slots', which hold 0 or the addresses of nodes; these stay mapped with their link
    // first.
    match unsafe { this_cpu::pop::<STRIDE, OwnArea, C>(token, heads.base(), heads.count()) } {
        Ok(node) => Some(Some(node as *mut Node)),
        Err(this_cpu::Error::CompareFailed) => {
            counts.compare_failed += 1;
            Some(None)
        }
        Err(_) => None,
    }
}

fn push_self<C: Choice>(token: Here, heads: &Slots, node: *mut Node, _: &mut Counts) -> Option<()> {
    let token = C::of(token).ok()?;
    // SAFETY: base and number are the slots', and this thread has popped the node.
    let pushed = unsafe { this_cpu::push::<STRIDE, OwnArea, C>(token, heads.base(), heads.count(), node.cast()) };
    pushed.ok().map(|_| ())
}
