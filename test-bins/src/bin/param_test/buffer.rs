//! buffer and memcpy: a stack of pointers, or of whole items, for each slot.

use crate::flavour::Flavour;
use crate::options::Params;
use crate::workers::{self, Totals, Worker, same};
use rseq_core::Order;
use rseq_core::ops::librseq;
use test_bins::index::Choice;
use test_bins::ktap::{OrFail, Verdict};
use test_bins::slots::Slots;
use test_bins::sys::memory::Mapping;
use test_bins::sys::time;

const ITEMS: usize = 100;

/// What `memcpy` moves.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Item {
    first: usize,
    second: u64,
}

/// The slots' stacks: how much is in each, and room for all items in every one.
struct Stacks<T> {
    offsets: Slots,
    capacity: usize,
    memory: Mapping,
    item: core::marker::PhantomData<fn() -> T>,
}

impl<T> Stacks<T> {
    /// Stacks of [`ITEMS`] items each, the item from 1 on made by `make`.
    #[inline(never)]
    fn new(make: impl Fn(usize) -> T) -> Result<Self, test_bins::ktap::Unmet> {
        let offsets = Slots::new().or_fail("memory for the offsets")?;
        let capacity = offsets.count() * ITEMS;
        let bytes = offsets.count().checked_mul(capacity).and_then(|items| items.checked_mul(size_of::<T>()));
        let memory = Mapping::private(bytes.or_fail("a size for the buffers")?).or_fail("memory for the buffers")?;
        let stacks = Self { offsets, capacity, memory, item: core::marker::PhantomData };
        for (slot, offset) in stacks.offsets.words().enumerate() {
            for number in 1..=ITEMS {
                // SAFETY: the slot has room for `capacity` >= ITEMS items, and no thread runs yet.
                unsafe { stacks.item(slot, number - 1).write(make(number)) };
            }
            // SAFETY: the word is the slot's, and no thread runs yet.
            unsafe { offset.write(ITEMS) };
        }
        Ok(stacks)
    }

    /// Where the item at `offset` of a slot's stack is.
    fn item(&self, slot: usize, offset: usize) -> *mut T {
        (self.memory.address() as *mut T).wrapping_add(slot * self.capacity + offset)
    }

    /// Sums up what is on the stacks.
    #[inline(never)]
    fn sum(&self, value: impl Fn(&T) -> usize) -> usize {
        let mut sum = 0;
        for (slot, offset) in self.offsets.words().enumerate() {
            // SAFETY: no thread runs any more, and offsets never exceed the capacity.
            let items = unsafe { core::slice::from_raw_parts(self.item(slot, 0), offset.read_volatile()) };
            sum += items.iter().map(&value).sum::<usize>();
        }
        sum
    }

    /// The offset's word of a slot, and its value.
    fn offset(&self, slot: usize) -> Option<(*mut usize, usize)> {
        let word = self.offsets.word(slot)?;
        // SAFETY: the word is the slot's; volatile, as sections write it.
        Some((word, unsafe { word.read_volatile() }))
    }
}

/// What an attempt on a stack ends with, beside the section's own ends.
enum Ends {
    /// There was nothing to pop, or no room to push.
    Exhausted,
    Done,
}

/// Tries `attempt` on the slot of the moment until it commits; it is told the offset, and skipped where that is `stop`.
#[inline(always)]
fn retry<F: Flavour, C: Choice, T>(
    worker: &mut Worker<'_, F, C>,
    stacks: &Stacks<T>,
    stop: usize,
    mut attempt: impl FnMut(&Worker<'_, F, C>, usize, *mut usize, usize) -> Result<rseq_core::Committed, librseq::Error>,
) -> Ends {
    loop {
        let mut exhausted = false;
        let result = worker.once(|worker, slot| match stacks.offset(slot) {
            Some((_, offset)) if offset == stop => {
                exhausted = true;
                Err(librseq::Error::CompareFailed)
            }
            Some((word, offset)) => attempt(worker, slot, word, offset),
            None => Err(librseq::Error::Aborted),
        });
        match result {
            Some((_, Ok(_))) => return Ends::Done,
            _ if exhausted => return Ends::Exhausted,
            _ => {}
        }
    }
}

/// Each thread pops a pointer and pushes it, wherever it is by then.
pub fn pointers<F: Flavour, C: Choice, O: Order>(flavour: F, params: &Params, totals: &Totals) -> Verdict {
    let stacks = Stacks::<usize>::new(|number| number)?;
    let expected = stacks.sum(|&data| data);
    workers::run::<F, C>(params, totals, |worker| {
        let mut popped = 0;
        let pop = retry(worker, &stacks, 0, |worker, slot, word, offset| {
            let top = stacks.item(slot, offset - 1);
            // SAFETY: `top` is an item of the slot, as its offset is above 0; a slot number is not -1 or -2.
            unsafe {
                popped = top.read_volatile();
                flavour.load_cbne_load_cbne_store(worker.token, slot, word, offset, top, popped, offset - 1)
            }
        });
        if matches!(pop, Ends::Exhausted) {
            return true;
        }
        if params.yields {
            time::yield_now();
        }
        let push = retry(worker, &stacks, stacks.capacity, |worker, slot, word, offset| {
            let top = stacks.item(slot, offset);
            // SAFETY: `top` is room of the slot, as its offset is below the capacity, which nobody reads before the offset
            // says so; a slot number is not -1 or -2.
            unsafe { flavour.load_cbne_store_store::<O, _>(worker.token, slot, word, offset, top, popped, offset + 1) }
        });
        matches!(push, Ends::Done)
    })?;
    same("the sum of the pointers", expected, stacks.sum(|&data| data))
}

/// Each thread copies an item out and in again, wherever it is by then.
pub fn items<F: Flavour, C: Choice, O: Order>(flavour: F, params: &Params, totals: &Totals) -> Verdict {
    let stacks = Stacks::<Item>::new(|number| Item { first: number, second: number as u64 + 1 })?;
    let value = |item: &Item| item.first + item.second as usize;
    let expected = stacks.sum(value);
    workers::run::<F, C>(params, totals, |worker| {
        let mut item = Item::default();
        let copy = (&raw mut item).cast::<u8>();
        let pop = retry(worker, &stacks, 0, |worker, slot, word, offset| {
            let top = stacks.item(slot, offset - 1).cast::<u8>();
            let len = size_of::<Item>();
            // SAFETY: `top` is an item of the slot, as its offset is above 0, and `copy` a local of the same size; a slot
            // number is not -1 or -2.
            unsafe {
                flavour.load_cbne_memcpy_store::<rseq_core::Relaxed, _>(
                    worker.token,
                    slot,
                    word,
                    offset,
                    copy,
                    top,
                    len,
                    offset - 1,
                )
            }
        });
        if matches!(pop, Ends::Exhausted) {
            return true;
        }
        if params.yields {
            time::yield_now();
        }
        let push = retry(worker, &stacks, stacks.capacity, |worker, slot, word, offset| {
            let top = stacks.item(slot, offset).cast::<u8>();
            let len = size_of::<Item>();
            // SAFETY: `top` is room of the slot, as its offset is below the capacity, which nobody reads before the offset
            // says so; a slot number is not -1 or -2.
            unsafe {
                flavour.load_cbne_memcpy_store::<O, _>(worker.token, slot, word, offset, top, copy, len, offset + 1)
            }
        });
        matches!(push, Ends::Done)
    })?;
    same("the sum of the items", expected, stacks.sum(value))
}
