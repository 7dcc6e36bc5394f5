//! What a child of `fork` finds of a list that a thread of its parent was draining.

use super::*;
use crate::affinity::{allowed, pin};
use crate::percpu::test_machine::can_drain;
use crate::sys::in_limited_child;

type Values = [Option<u32>; 3];

fn values<'n>(nodes: impl IntoIterator<Item = &'n mut Node<u32>>) -> Values {
    let mut values = nodes.into_iter().map(|node| *node.get_mut());
    [(); 3].map(|()| values.next())
}

/// Whether the list of this CPU takes nodes again.
fn takes(list: &List<'_, u32>) -> bool {
    list.fallback.len() == 0 && list.copies.iter().all(|slot| !slot.is_closed())
}

#[test]
fn a_child_has_the_nodes_of_a_closed_list() {
    let cpu = allowed()[0];
    pin(cpu);
    let mut nodes = [1, 2, 3].map(Node::new);
    let [first, second, third] = &mut nodes;
    let list = List::new();
    if !can_drain() {
        return;
    }
    list.push(first);
    list.push(second);
    let both = [Some(2), Some(1), None];
    let mut third = Some(third);
    let mut uses: [(&str, &mut dyn FnMut() -> bool); 6] = [
        ("drain_cpu", &mut || list.drain_cpu(cpu).is_ok_and(|nodes| values(nodes) == both)),
        ("drain", &mut || values(list.drain().flat_map(Result::unwrap)) == both),
        ("drain_cpu of another CPU", &mut || {
            let _ = list.drain_cpu(cpu ^ 1);
            values(list.pop_all()) == both
        }),
        ("pop", &mut || values([(); 3].map(|()| list.pop()).into_iter().flatten()) == both),
        ("pop_all", &mut || values(list.pop_all()) == both),
        ("push", &mut || {
            third.take().into_iter().for_each(|node| list.push(node));
            let is_open = list.copies.iter().all(|slot| !slot.is_closed());
            is_open && values(list.drain().flat_map(Result::unwrap)) == [Some(2), Some(1), Some(3)]
        }),
    ];
    let slot = list.copies.get(cpu).unwrap();
    for (name, work) in &mut uses {
        let mut child = None;
        let drained = list.closing.with(&list.copies, || {
            slot.drain(|| {
                child = Some(in_limited_child(|| u8::from(slot.is_closed() && work() && takes(&list))));
                Err(MembarrierError::NoCommand)
            })
        });
        assert_eq!((drained, child), (Err(MembarrierError::NoCommand), Some(Ok(Some(1)))), "{name}");
    }
    assert!(list.drain_cpu(cpu).is_ok_and(|nodes| values(nodes) == both), "the parent's");
}
