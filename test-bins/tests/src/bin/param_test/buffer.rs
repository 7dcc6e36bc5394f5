//! buffer and memcpy: a stack of pointers, or of whole items, for each slot.

use crate::flavour::Flavour;
use crate::inject;
use crate::options::Params;
use crate::workers::{self, Stop, Totals, same};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::num::NonZero;
use harness::index::Choice;
use harness::ktap::{OrFail, Verdict};
use harness::slots::Slots;
use harness::sys::memory::Mapping;
use rseq_core::{Order, Relaxed};

const ITEMS: usize = 100;

/// What `memcpy` moves.
#[repr(C)]
#[derive(Clone, Copy)]
struct Item {
    first: usize,
    second: u64,
}

/// The slots' stacks, and room for all items in every one. A slot's words are those of [`Stack`].
struct Stacks<T> {
    slots: Slots,
    capacity: usize,
    memory: Mapping,
    item: PhantomData<fn() -> T>,
}

impl<T> Stacks<T> {
    /// Stacks of [`ITEMS`] items each, the item from 1 on made by `make`.
    #[inline(never)]
    fn new(make: impl Fn(usize) -> T) -> Result<Self, harness::ktap::Unmet> {
        let slots = Slots::new().or_fail("memory for the slots")?;
        let capacity = slots.count() * ITEMS;
        let bytes = slots.count().checked_mul(capacity).and_then(|items| items.checked_mul(size_of::<T>()));
        let memory = Mapping::private(bytes.or_fail("a size for the buffers")?).or_fail("memory for the buffers")?;
        let stacks = Self { slots, capacity, memory, item: PhantomData };
        for (slot, offset) in stacks.slots.words().enumerate() {
            let items = stacks.items(slot);
            for number in 1..=ITEMS {
                // SAFETY: the slot has room for `capacity` >= ITEMS items, and no thread runs yet.
                unsafe { items.wrapping_add(number - 1).write(make(number)) };
            }
            // SAFETY: the three words are the slot's, and no thread runs yet.
            unsafe {
                offset.write(ITEMS);
                offset.wrapping_add(1).write(items as usize);
                offset.wrapping_add(2).write(capacity);
            }
        }
        Ok(stacks)
    }

    /// Where the items of a slot's stack are.
    fn items(&self, slot: usize) -> *mut T {
        (self.memory.address() as *mut T).wrapping_add(slot * self.capacity)
    }

    /// Sums up what is on the stacks.
    #[inline(never)]
    fn sum(&self, value: impl Fn(&T) -> usize) -> usize {
        let mut sum = 0;
        for (slot, offset) in self.slots.words().enumerate() {
            // SAFETY: no thread runs now, and offsets never exceed the capacity.
            let items = unsafe { core::slice::from_raw_parts(self.items(slot), offset.read_volatile()) };
            sum += items.iter().map(&value).sum::<usize>();
        }
        sum
    }
}

/// A slot's stack: the word that says how much is on it, what it said, where the items are, and how many have room.
struct Stack<T> {
    word: *mut usize,
    offset: usize,
    items: *mut T,
    capacity: usize,
}

impl<T> Stack<T> {
    /// The stack of a slot at this moment.
    ///
    /// # Safety
    ///
    /// `word` is the word of a slot of `Stacks<T>`.
    #[inline(always)]
    unsafe fn read(word: *mut usize) -> Self {
        // SAFETY: the three words are the slot's; the first volatile, as sections write it, and no other changes.
        let [offset, items, capacity] =
            unsafe { [word.read_volatile(), word.wrapping_add(1).read(), word.wrapping_add(2).read()] };
        Self { word, offset, items: items as *mut T, capacity }
    }
}

/// Each thread pops a pointer and pushes it, wherever it is by then.
pub fn pointers<F: Flavour, C: Choice, O: Order>(flavour: F, params: &Params, totals: &Totals) -> Verdict {
    let stacks = Stacks::<usize>::new(|number| number)?;
    let expected = stacks.sum(|&data| data);
    let (slots, yields) = (stacks.slots.view(), params.yields);
    workers::run::<F, C>(params, totals, move |worker| {
        let pop = worker.retry(move |token, slot| {
            // SAFETY: the word is that of a slot.
            let Stack { word, offset, items, .. } = unsafe { Stack::<usize>::read(slots.word(slot)) };
            if offset == 0 {
                return Err(Stop::Exhausted);
            }
            let top = items.wrapping_add(offset - 1);
            // SAFETY: `top` is an item of the slot, as its offset is above 0; a slot number is not -1 or -2. What a
            // committed section has found there is the item, and none is 0.
            unsafe {
                let popped = top.read_volatile();
                flavour.load_cbne_load_cbne_store(token, slot, word, offset, top, popped, offset - 1)?;
                Ok(NonZero::new_unchecked(popped))
            }
        });
        let Some(popped) = pop else { return true };
        if yields {
            inject::give_way();
        }
        let push = worker.retry(move |token, slot| {
            // SAFETY: the word is that of a slot.
            let Stack { word, offset, items, capacity } = unsafe { Stack::<usize>::read(slots.word(slot)) };
            if offset == capacity {
                return Err(Stop::Exhausted);
            }
            let top = items.wrapping_add(offset);
            // SAFETY: `top` is room of the slot, as its offset is below the capacity; it is not read before the offset
            // includes it; a slot number is not -1 or -2.
            Ok(unsafe {
                flavour.load_cbne_store_store::<O, _>(token, slot, word, offset, top, popped.get(), offset + 1)
            }?)
        });
        push.is_some()
    })?;
    same("the sum of the pointers", expected, stacks.sum(|&data| data))
}

/// Each thread copies an item out and in again, wherever it is by then.
pub fn items<F: Flavour, C: Choice, O: Order>(flavour: F, params: &Params, totals: &Totals) -> Verdict {
    let stacks = Stacks::<Item>::new(|number| Item { first: number, second: number as u64 + 1 })?;
    let value = |item: &Item| item.first + item.second as usize;
    let expected = stacks.sum(value);
    let (slots, yields, len) = (stacks.slots.view(), params.yields, size_of::<Item>());
    workers::run::<F, C>(params, totals, move |worker| {
        let mut item = MaybeUninit::<Item>::uninit();
        let copy = item.as_mut_ptr().cast::<u8>();
        let pop = worker.retry(move |token, slot| {
            // SAFETY: the word is that of a slot.
            let Stack { word, offset, items, .. } = unsafe { Stack::<Item>::read(slots.word(slot)) };
            if offset == 0 {
                return Err(Stop::Exhausted);
            }
            let top = items.wrapping_add(offset - 1).cast::<u8>();
            // SAFETY: `top` is an item of the slot, as its offset is above 0, and `copy` a local of the same size; a
            // slot number is not -1 or -2.
            Ok(unsafe {
                flavour.load_cbne_memcpy_store::<Relaxed, _>(token, slot, word, offset, copy, top, len, offset - 1)
            }?)
        });
        if pop.is_none() {
            return true;
        }
        if yields {
            inject::give_way();
        }
        let push = worker.retry(move |token, slot| {
            // SAFETY: the word is that of a slot.
            let Stack { word, offset, items, capacity } = unsafe { Stack::<Item>::read(slots.word(slot)) };
            if offset == capacity {
                return Err(Stop::Exhausted);
            }
            let top = items.wrapping_add(offset).cast::<u8>();
            // SAFETY: `copy` is the item that was popped; `top` is room of the slot, as its offset is below the
            // capacity; it is not read before the offset includes it; a slot number is not -1 or -2.
            Ok(unsafe {
                flavour.load_cbne_memcpy_store::<O, _>(token, slot, word, offset, top, copy, len, offset + 1)
            }?)
        });
        push.is_some()
    })?;
    same("the sum of the items", expected, stacks.sum(value))
}
