//! Lists: each node is there once, the last one first.

use crate::engine::{Outcome, Seat, Subject, Turn, ensure};
use crate::random::Random;
use crate::unrest;
use rseq_core::percpu::{List, Node, RemoteError};
use rseq_core::{ByCpu, Index, Status, status};
use std::any::Any;
use std::collections::HashMap;

/// Nodes of each user.
const NODES: usize = 20;

pub struct Lists<K: Index>(List<'static, Tag, K>);

/// A node's number, who pushed it last, and that one's how manieth push it was.
#[derive(Clone, Copy, Default)]
pub struct Tag {
    node: usize,
    pusher: usize,
    push: u64,
}

type TaggedNode = &'static mut Node<Tag>;

/// The nodes that a user has.
pub struct Nodes {
    seat: Seat,
    held: Vec<TaggedNode>,
    pushes: u64,
    /// Of a user who is alone: the pushes that are in the list of each CPU.
    model: Option<HashMap<u32, Vec<u64>>>,
}

impl Nodes {
    fn hold(&mut self, node: TaggedNode) -> Outcome {
        ensure(self.held.len() < self.held.capacity(), "there are more nodes than were made", self.held.len(), 0)?;
        self.held.push(node);
        Ok(())
    }

    fn push<K: Index>(&mut self, list: &List<'static, Tag, K>, cpu: u32) {
        let Some(node) = self.held.pop() else { return };
        self.pushes += 1;
        (node.get_mut().pusher, node.get_mut().push) = (self.seat.number, self.pushes);
        if let Some(model) = &mut self.model {
            model.entry(cpu).or_default().push(self.pushes);
        }
        list.push(node);
    }

    fn pop<K: Index>(&mut self, list: &List<'static, Tag, K>, cpu: u32) -> Outcome {
        let mut popped = list.pop();
        let push = popped.as_mut().map(|node| node.get_mut().push);
        if let Some(model) = &mut self.model {
            let expected = model.entry(cpu).or_default().pop();
            ensure(push == expected, "another node was popped", push.unwrap_or(0), expected.unwrap_or(0))?;
        }
        popped.map_or(Ok(()), |node| self.hold(node))
    }

    /// Takes the nodes of one list, of this CPU if it is known.
    fn take(&mut self, nodes: impl Iterator<Item = TaggedNode>, cpu: Option<u32>) -> Outcome {
        let mut last = [0; 16];
        for node in nodes {
            let Tag { pusher, push, .. } = *node.get_mut();
            let last = &mut last[pusher % 16];
            ensure(*last == 0 || push < *last, "nodes are not in the order in which they were pushed", push, *last)?;
            *last = push;
            if let (Some(model), Some(cpu)) = (&mut self.model, cpu) {
                let expected = model.entry(cpu).or_default().pop().unwrap_or(0);
                ensure(push == expected, "another node was drained", push, expected)?;
            }
            self.hold(node)?;
        }
        match (&self.model, cpu) {
            (Some(model), Some(cpu)) => {
                let left = model.get(&cpu).map_or(0, Vec::len);
                ensure(left == 0, "nodes were left in a list", left, cpu)
            }
            _ => Ok(()),
        }
    }
}

impl<K: Index> Lists<K> {
    fn drain_cpu(&self, part: &mut Nodes, cpu: u32) -> Outcome {
        let Some(list) = (&self.0 as &dyn Any).downcast_ref::<List<'static, Tag, ByCpu>>() else { return Ok(()) };
        match list.drain_cpu(cpu) {
            Ok(nodes) => part.take(nodes, Some(cpu)),
            Err(RemoteError::NoSlot(_)) => Ok(()),
            Err(_) => ensure(false, "the fence was refused", cpu, 0),
        }
    }

    fn drain(&self, part: &mut Nodes) -> Outcome {
        for nodes in self.0.drain() {
            let Ok(nodes) = nodes else { return ensure(false, "the fence was refused", 0, 0) };
            part.take(nodes, None)?;
        }
        part.model.iter_mut().for_each(HashMap::clear);
        Ok(())
    }
}

impl<K: Index> Subject for Lists<K> {
    type Part<'s> = Nodes;

    fn new(_: &mut Random) -> Self {
        Self(List::new())
    }

    /// Nodes live as long as the process: a round takes 10 KiB.
    fn part(&self, seat: Seat) -> Nodes {
        let mut held = Vec::with_capacity(NODES * seat.seats);
        let tag = |node| Tag { node: node * seat.seats + seat.number, ..Tag::default() };
        let nodes = (0..NODES).map(|node| Node::new(tag(node))).collect::<Vec<_>>();
        held.extend(nodes.leak().iter_mut());
        let has_model = seat.is_alone && K::OFFSET == ByCpu::OFFSET && matches!(status(), Status::On(_));
        Nodes { seat, held, pushes: 0, model: has_model.then(HashMap::new) }
    }

    fn step(&self, part: &mut Nodes, turn: &mut Turn) -> Outcome {
        match turn.random.below(128) {
            0 => part.take(self.0.pop_all(), Some(turn.cpu)),
            1 => self.drain_cpu(part, turn.random.of(unrest::cpus())),
            2 => self.drain(part),
            3..64 => part.pop(&self.0, turn.cpu),
            _ => {
                part.push(&self.0, turn.cpu);
                Ok(())
            }
        }
    }

    fn check(&self, mut parts: Vec<Nodes>) -> Outcome {
        self.drain(&mut parts[0])?;
        let made = NODES * parts.len();
        let nodes = parts.iter_mut().flat_map(|part| part.held.iter_mut());
        let mut found: Vec<_> = nodes.map(|node| node.get_mut().node).collect();
        found.sort_unstable();
        ensure(found.iter().copied().eq(0..made), "nodes were lost or doubled", found.len(), made)
    }
}
