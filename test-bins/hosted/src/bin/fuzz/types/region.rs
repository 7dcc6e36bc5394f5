//! Regions: an item is one user's, in each copy, and has what it was made with.

use crate::engine::{Outcome, Seat, Subject, Turn, ensure};
use crate::random::Random;
use rseq_core::percpu::{Finding, Region, RegionOptions};
use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Items that a user has at most.
const ITEMS: usize = 32;

const STRIDE: usize = 16 << 10;

/// What regions that look for errors have found.
static FINDINGS: AtomicU64 = AtomicU64::new(0);

fn report(_: Finding) {
    FINDINGS.fetch_add(1, Relaxed);
}

pub struct Regions(Region<STRIDE>);

/// An item, and what each copy is filled with: the number of the item plus that of the copy.
#[derive(Clone, Copy)]
struct Item {
    first: NonNull<u8>,
    layout: Layout,
    number: u64,
}

/// The items that a user has.
pub struct Items {
    seat: Seat,
    items: Vec<Item>,
    number: u64,
}

// SAFETY: items are memory that any thread may use.
unsafe impl Send for Items {}

/// The bytes that are looked at: both ends, and what is between them by steps.
fn places(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |&at| at.is_multiple_of(97) || at + 1 == len)
}

impl Items {
    /// Fills the copies of a new item, after a look at what they hold.
    fn add(&mut self, region: &Regions, first: NonNull<u8>, layout: Layout, is_zeroed: bool) -> Outcome {
        self.number += 1;
        let number = self.number << 8 | self.seat.number as u64;
        ensure(first.addr().get().is_multiple_of(layout.align()), "an item is misaligned", first.addr().get(), number)?;
        for cpu in 0..region.0.copies() {
            let copy = region.0.copy_of(first, cpu);
            for at in places(layout.size()) {
                // SAFETY: a byte of the item, which was allocated for this user.
                let byte = unsafe { copy.add(at).as_mut() };
                ensure(!is_zeroed || *byte == 0, "an item is not of zeroes", *byte, at)?;
                *byte = filling(number, cpu, at);
            }
        }
        self.items.push(Item { first, layout, number });
        Ok(())
    }

    fn free(&mut self, region: &Regions, at: usize) -> Outcome {
        let Item { first, layout, number } = self.items.swap_remove(at);
        for cpu in 0..region.0.copies() {
            let copy = region.0.copy_of(first, cpu);
            for at in places(layout.size()) {
                // SAFETY: a byte of the item, which is this user's.
                let byte = unsafe { copy.add(at).read() };
                ensure(byte == filling(number, cpu, at), "an item was written by another user", byte, at)?;
            }
        }
        // SAFETY: it was allocated with this layout, and is not used any more.
        unsafe { region.0.free(first, layout) };
        Ok(())
    }

    fn alloc(&mut self, region: &Regions, random: &mut Random) -> Outcome {
        // A handler is not to be at work when the next signal comes.
        let most = 1 << random.below(if self.seat.is_handler { 6 } else { 12 });
        let (size, align) = (1 + random.below(most), 1 << random.below(8));
        let Ok(layout) = Layout::from_size_align(size, align) else { return Ok(()) };
        // Whole copies are written by the others, which takes long.
        let made = match random.below(8) {
            0 => region.0.alloc_zeroed(layout),
            1 => region.0.alloc_copied(layout, &[]),
            _ => region.0.alloc(layout),
        };
        let Ok(first) = made else { return ensure(false, "there is no memory for an item", size, align) };
        self.add(region, first, layout, false)
    }

    fn alloc_zeroed(&mut self, region: &Regions, size: usize) -> Outcome {
        let Ok(layout) = Layout::from_size_align(size, 8) else { return Ok(()) };
        let Ok(first) = region.0.alloc_zeroed(layout) else { return ensure(false, "there is no memory", size, 8) };
        self.add(region, first, layout, true)
    }
}

fn filling(number: u64, cpu: usize, at: usize) -> u8 {
    (number.wrapping_mul(31) as usize).wrapping_add(cpu * 7 + at + 1) as u8
}

impl Subject for Regions {
    type Part<'s> = Items;

    fn new(random: &mut Random) -> Self {
        let options = match random.below(4) {
            0 => RegionOptions::new().robust(report),
            1 => RegionOptions::new().copy_on_write(),
            _ => RegionOptions::new(),
        };
        Self(Region::with(options))
    }

    fn part(&self, seat: Seat) -> Items {
        Items { seat, items: Vec::with_capacity(ITEMS), number: 0 }
    }

    fn step(&self, part: &mut Items, turn: &mut Turn) -> Outcome {
        let held = part.items.len();
        match turn.random.below(16) {
            choice if held > 0 && (held == ITEMS || choice < 8) => part.free(self, turn.random.below(held)),
            8 => part.alloc_zeroed(self, 1 + turn.random.below(256)),
            _ => part.alloc(self, &mut turn.random),
        }
    }

    fn check(&self, mut parts: Vec<Items>) -> Outcome {
        for part in &mut parts {
            while !part.items.is_empty() {
                part.free(self, 0)?;
            }
        }
        Ok(())
    }

    fn after() -> Outcome {
        let findings = FINDINGS.swap(0, Relaxed);
        ensure(findings == 0, "a region has found errors in how it was used", findings, 0)
    }
}
