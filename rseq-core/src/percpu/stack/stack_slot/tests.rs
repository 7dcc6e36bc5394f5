//! What a child of `fork` finds of a slot that a thread of its parent held.

use super::*;
use crate::ByCpu;
use crate::affinity::{allowed, pin};
use crate::percpu::fence::fence_index;
use crate::percpu::stack::arrays::Arrays;
use crate::percpu::stack::class::Class;
use crate::percpu::test_machine::can_drain;
use crate::sys::{self, in_child};

const CLASS: Class = Class::new(0, 0, 4);

type TestArrays = Arrays<usize, 1, 4, ByCpu>;

/// Pins this thread to a CPU, and pushes two items to its array; None if arrays cannot be drained here.
fn two_items() -> Option<(TestArrays, u32)> {
    let cpu = allowed()[0];
    pin(cpu);
    let arrays = TestArrays::new();
    can_drain().then(|| {
        assert_eq!((arrays.push(CLASS, 1), arrays.push(CLASS, 2)), (Ok(()), Ok(())));
        assert_eq!(arrays.len_of(CLASS, cpu), 2);
        (arrays, cpu)
    })
}

/// Ends a child that hangs, by SIGALRM after 20 seconds.
fn limit() -> bool {
    const SIGALRM: u32 = 14;
    sys::unblock_only(SIGALRM) && sys::alarm_after(20_000_000).is_ok()
}

/// Whether the array takes two more items, and returns all in order.
fn works(arrays: &TestArrays, slot: Slot<'_>) -> bool {
    let is_pushed = arrays.push(CLASS, 3).is_ok() && arrays.push(CLASS, 4).is_ok() && slot.len() == 4;
    is_pushed && [(); 5].map(|()| arrays.pop(CLASS)) == [Some(4), Some(3), Some(2), Some(1), None] && slot.is_open()
}

#[test]
fn a_child_takes_over_what_a_thread_of_its_parent_held() {
    // Those of the stores of a `close` that a child finds. `open` stores the opposite.
    let stores: &[&[(usize, usize)]] = &[&[], &[(BEGIN, CLOSED)], &[(END, 0)], &[(BEGIN, CLOSED), (END, 0)]];
    for stored in stores {
        let Some((arrays, cpu)) = two_items() else { return };
        let slot = arrays.slot(CLASS, cpu).unwrap();
        let mut held = slot.hold().unwrap();
        stored.iter().for_each(|&(at, value)| slot.word(at).store(value, Ordering::Relaxed));
        let child = in_child(|| u8::from(limit() && works(&arrays, slot)));
        let popping = in_child(|| u8::from(limit() && arrays.pop(CLASS) == Some(2) && works_after_pop(&arrays)));
        let is_open = in_child(|| u8::from(slot.hold().is_some_and(|held| held.is_open())));
        assert_eq!(is_open, Ok(Some(u8::from(stored.len() < 2))), "after {stored:?}");
        assert!(slot.hold().is_none(), "the parent's thread holds it");
        held.open();
        drop(held);
        assert_eq!((child, popping), (Ok(Some(1)), Ok(Some(1))), "after {stored:?}");
        assert!(works(&arrays, slot));
    }
}

fn works_after_pop(arrays: &TestArrays) -> bool {
    [(); 2].map(|()| arrays.pop(CLASS)) == [Some(1), None]
}

#[test]
fn a_holder_still_holds_in_a_child_unless_the_array_was_used_there() {
    let Some((arrays, cpu)) = two_items() else { return };
    let slot = arrays.slot(CLASS, cpu).unwrap();
    let mut held = slot.hold().unwrap();
    held.close(cpu, fence_index::<ByCpu>).unwrap();
    let still_holds = in_child(|| {
        let is_alone = held.take(0) == Some(2) && slot.hold().is_none() && held.take(0) == Some(1);
        u8::from(is_alone)
    });
    let arrays = &arrays;
    let is_passed = in_child(move || {
        let is_used = arrays.pop(CLASS) == Some(2) && held.take(0).is_none() && slot.len() == 1;
        let other = slot.hold();
        drop(held);
        u8::from(is_used && other.is_some() && slot.hold().is_none())
    });
    assert_eq!((still_holds, is_passed), (Ok(Some(1)), Ok(Some(1))));
}
