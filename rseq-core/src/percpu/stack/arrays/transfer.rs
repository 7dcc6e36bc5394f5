//! Pushing and popping the items of a batch.

use super::{Arrays, Opened, Pointer};
use crate::Index;
use crate::percpu::memory::STRIDE;
use crate::percpu::stack::batch::Batch;
use crate::percpu::stack::class::Class;
use crate::percpu::stack::stack_sections;
use crate::percpu::stack::stack_slot::WORD;
use crate::percpu::stack::word::Word;
use core::mem::MaybeUninit;

impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> Arrays<T, CLASSES, ITEMS, K> {
    #[inline]
    pub(in crate::percpu::stack) fn push_batch<const N: usize>(&self, class: Class, batch: &mut Batch<T, N>) -> usize {
        if batch.is_empty() {
            return 0;
        }
        let pushed = match self.push_batch_here(class, batch) {
            Some(Some(pushed)) => pushed,
            _ => self.push_batch_elsewhere(class, batch),
        };
        // SAFETY: the first `pushed` items are in a slot now.
        unsafe { batch.removed(pushed) };
        pushed
    }

    #[inline]
    fn push_batch_here<const N: usize>(&self, class: Class, batch: &Batch<T, N>) -> Option<Option<usize>> {
        let (from, bytes) = (batch.words(), batch.len() * WORD);
        self.run(class, move |token, base, len| {
            let mut state = State::new();
            // SAFETY: `run` passes the first of `len` slots that are STRIDE bytes apart, each a header and its words.
            // The batch has `bytes` bytes of words at `from`. The state has the size that the section requires.
            unsafe { stack_sections::push_batch::<STRIDE, _, _>(token, base, len, from, bytes, state.pointer()) }?;
            Ok(state.items())
        })
    }

    #[cold]
    #[inline(never)]
    fn push_batch_elsewhere<const N: usize>(&self, class: Class, batch: &Batch<T, N>) -> usize {
        loop {
            match self.open_here(class, false) {
                Opened::Now => {}
                Opened::Before => return 0,
                Opened::Not => break,
            }
            match self.push_batch_here(class, batch) {
                Some(Some(pushed)) => return pushed,
                Some(None) => {}
                None => break,
            }
        }
        // SAFETY: the first `len` words of the batch are initialised, and the batch is borrowed while they are read.
        let words = unsafe { core::slice::from_raw_parts(batch.words(), batch.len()) };
        words.iter().take_while(|&&word| self.shared.push(class, word)).count()
    }

    #[inline]
    pub(in crate::percpu::stack) fn pop_batch<const N: usize>(&self, class: Class, batch: &mut Batch<T, N>) -> usize {
        if batch.is_full() {
            return 0;
        }
        let popped = match self.pop_batch_here(class, batch) {
            Some(Some(popped)) => popped,
            _ => self.pop_batch_elsewhere(class, batch),
        };
        // SAFETY: the section or the shared slot wrote `popped` words where the batch has room. `into_word` made them
        // from items, which are no longer in a slot.
        unsafe { batch.added(popped) };
        popped
    }

    #[inline]
    fn pop_batch_here<const N: usize>(&self, class: Class, batch: &mut Batch<T, N>) -> Option<Option<usize>> {
        let (to, room) = batch.room();
        self.run(class, move |token, base, len| {
            let mut state = State::new();
            // SAFETY: `run` passes the first of `len` slots that are STRIDE bytes apart, each a header and its words.
            // The batch has room for `room` words at `to`. The state has the size that the section requires.
            unsafe { stack_sections::pop_batch::<STRIDE, _, _>(token, base, len, to, room * WORD, state.pointer()) }?;
            Ok(state.items())
        })
    }

    #[cold]
    #[inline(never)]
    fn pop_batch_elsewhere<const N: usize>(&self, class: Class, batch: &mut Batch<T, N>) -> usize {
        while let Opened::Now = self.open_here(class, true) {
            match self.pop_batch_here(class, batch) {
                Some(Some(popped)) => return popped,
                Some(None) => {}
                None => break,
            }
        }
        let (to, room) = batch.room();
        // SAFETY: the batch has `room` words at `to`, after its items. The slice is of `MaybeUninit`, and the batch is
        // borrowed exclusively while it is used.
        let room = unsafe { core::slice::from_raw_parts_mut(to.cast(), room) };
        self.shared.pop_batch(class, room)
    }
}

/// Memory in which a section of a batch stores its state, and the number of bytes that it has moved.
#[repr(C, align(8))]
struct State([MaybeUninit<u64>; 3]);

impl State {
    #[inline]
    fn new() -> Self {
        Self([MaybeUninit::uninit(); 3])
    }

    #[inline]
    fn pointer(&mut self) -> Pointer {
        self.0.as_mut_ptr().cast()
    }

    /// The number of items moved by a section that has committed.
    #[inline]
    fn items(&mut self) -> usize {
        // SAFETY: the word at offset 16 is within the state and aligned, and a section that has committed has written
        // it.
        unsafe { self.pointer().byte_add(16).read() / WORD }
    }
}
