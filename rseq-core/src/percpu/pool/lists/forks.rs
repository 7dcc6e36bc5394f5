//! What a child of `fork` finds of lists that a thread of its parent was draining.

use super::*;
use crate::ByCpu;
use crate::affinity::{allowed, pin};
use crate::percpu::test_machine::can_drain;
use crate::sys::in_limited_child;

const NODES: usize = 8;

/// Whether all nodes can be popped, and go back to this CPU's list.
fn works(lists: &Lists<usize, ByCpu>) -> bool {
    let items = [(); NODES].map(|()| lists.pop());
    let are_all = items.iter().all(Option::is_some) && lists.pop().is_none();
    drop(items);
    are_all && lists.shared.len() == 0 && lists.len() == NODES
}

#[test]
fn a_child_has_the_nodes_of_a_closed_list() {
    let cpu = allowed()[0];
    pin(cpu);
    let mut nodes: [_; NODES] = core::array::from_fn(Node::new);
    let lists = Lists::<usize, ByCpu>::new(2 * NODES);
    if !can_drain() {
        return;
    }
    // SAFETY: the nodes outlive the lists, and only these use them.
    unsafe { lists.add(&mut nodes) };
    assert!(works(&lists) && works(&lists));
    // On no list, until a child pushes it.
    let mut item = lists.pop();
    let mut push = || {
        item = None;
        lists.shared.len() == 0 && works(&lists)
    };
    let mut uses: [(&str, &mut dyn FnMut() -> bool); 3] = [
        ("reclaim", &mut || lists.reclaim() == Ok(NODES - 1) && lists.shared.len() == NODES - 1),
        ("pop", &mut || [(); NODES].map(|()| lists.pop().is_some()).iter().filter(|&&popped| popped).count() == NODES),
        ("push", &mut push),
    ];
    let slot = lists.copies.get(cpu).unwrap();
    for (name, work) in &mut uses {
        let (mut child, mut chain) = (None, Chain::<usize>::new());
        let drained = lists.closing.with(&lists.copies, || {
            let fence = || {
                child = Some(in_limited_child(|| u8::from(work())));
                Err(MembarrierError::NoCommand)
            };
            // SAFETY: a node that is drained is on no list.
            slot.drain(fence, |node| unsafe { chain.push(node) })
        });
        assert_eq!((drained, child), (Err(MembarrierError::NoCommand), Some(Ok(Some(1)))), "{name}");
    }
    drop(uses);
    drop(item);
    assert!(works(&lists), "the parent's");
}
