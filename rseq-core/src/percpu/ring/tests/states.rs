//! States that other threads, a fork, and a move of the ring leave.

extern crate std;

use super::super::ring_slot::Slot;
use super::{Ring, has_sections};
use crate::percpu::Counter;
use core::sync::atomic::{AtomicPtr, Ordering};
use core::{mem, ptr};
use std::boxed::Box;
use std::sync::mpsc;
use std::time::Duration;
use std::vec::Vec;

/// What `run` returns, within a time that a loop without an end exceeds.
fn soon<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(run()));
    result.recv_timeout(Duration::from_secs(20)).expect("no end within 20 s")
}

/// A full ring of one slot, whose oldest record has this word in place of its header.
fn overwritten(word: usize) -> &'static Ring {
    let ring: &Ring = Box::leak(Box::new(Ring::overwriting(256)));
    (0..16_usize).for_each(|record| ring.push_under_lock(&record.to_ne_bytes()).unwrap());
    let slot = &ring.fallback;
    let (buffer, head) = (slot.buffer.load(Ordering::Relaxed), slot.head().load(Ordering::Relaxed));
    // SAFETY: the slot has a buffer, as records were written, and the head is a multiple of a word.
    unsafe { Slot::word(buffer, head, ring.mask) }.store(word, Ordering::Relaxed);
    ring
}

/// The words that are no header and not reserved, as payloads of small numbers are: of size 0, and of too many bytes.
fn payloads() -> impl Iterator<Item = usize> {
    (1..8).filter(|word| word & 3 != 0).chain([1 << 40 | 1, usize::MAX])
}

#[test]
fn a_writer_that_meets_overwritten_headers_gives_up_the_walk() {
    for word in payloads() {
        let ring = overwritten(word);
        let discard = move || ring.fallback.discard(64, ring.mask, &Counter::new());
        assert!(!soon(discard), "{word:#x}");
    }
}

#[test]
fn a_consumer_that_meets_overwritten_headers_gives_up_the_walk() {
    for word in payloads() {
        let ring = overwritten(word);
        assert_eq!(soon(move || ring.consumer().unwrap().read(|_| ())), 0, "{word:#x}");
    }
}

/// A ring with so many records, written without sections.
fn with_records(count: usize) -> Ring {
    let ring = Ring::new(256);
    (0..count).for_each(|_| ring.push_under_lock(b"record").unwrap());
    ring
}

#[test]
fn a_ring_that_moves_keeps_its_records() {
    let read = |ring: &Ring| ring.consumer().unwrap().read(|record| assert_eq!(record.bytes(), b"record"));
    let (mut one, mut two) = (with_records(1), with_records(2));
    mem::swap(&mut one, &mut two);
    assert_eq!((read(&one), read(&two)), (2, 1));
    let moved = Box::new(with_records(3));
    let again = Vec::from([*moved, with_records(0)]);
    assert_eq!(again.iter().map(read).collect::<Vec<_>>(), [3, 0]);
}

/// As a fork leaves it in the child, between the link and the buffer.
#[test]
fn a_slot_that_is_linked_without_a_buffer_is_linked_once() {
    let (list, slots) = (AtomicPtr::new(ptr::null_mut()), [const { Slot::new() }; 3]);
    let mask = 255;
    slots[0].map(mask, 0, &list).unwrap();
    slots[1].link(1, &list);
    slots[2].map(mask, 2, &list).unwrap();
    slots[1].map(mask, 1, &list).unwrap();
    // SAFETY: the list holds these slots, which live until the test ends.
    let listed = unsafe { Slot::listed(&list) }.take(4).map(Slot::index).collect::<Vec<_>>();
    assert_eq!(listed, [Some(2), Some(1), Some(0)]);
    slots.iter().for_each(|slot| slot.unmap(mask));
}

/// As a fork leaves it in the child, before the link.
#[test]
fn a_slot_that_has_an_index_only_is_linked() {
    let (list, slot) = (AtomicPtr::new(ptr::null_mut()), Slot::new());
    slot.consumers.index.store(8, Ordering::Relaxed);
    slot.map(255, 7, &list).unwrap();
    // SAFETY: the list holds the slot, which lives until the test ends.
    assert_eq!(unsafe { Slot::listed(&list) }.count(), 1);
    slot.unmap(255);
}

#[test]
fn a_ring_that_moves_keeps_the_records_of_sections() {
    if !has_sections() {
        return;
    }
    let ring: Ring = Ring::new(256);
    ring.push(b"one").unwrap();
    let ring = Box::new(ring);
    ring.push(b"two").unwrap();
    assert_eq!(ring.consumer().unwrap().read(|_| ()), 2);
}
