//! Pushing and popping the items of a batch.

use super::{Arrays, Opened, Pointer};
use crate::Index;
use crate::percpu::memory::STRIDE;
use crate::percpu::stack::batch::Batch;
use crate::percpu::stack::class::Class;
use crate::percpu::stack::sections;
use crate::percpu::stack::slot::WORD;
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
        // SAFETY: the first `pushed` items are now in a slot.
        unsafe { batch.removed(pushed) };
        pushed
    }

    #[inline]
    fn push_batch_here<const N: usize>(&self, class: Class, batch: &Batch<T, N>) -> Option<Option<usize>> {
        let (from, bytes) = (batch.words(), batch.len() * WORD);
        self.run(class, move |token, base, len| {
            let mut state = State::new();
            // SAFETY: as in `push_here`; the batch has `bytes` bytes of words, and the state has the size that the
            // section requires.
            unsafe { sections::push_batch::<STRIDE, _, _>(token, base, len, from, bytes, state.pointer()) }?;
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
        // SAFETY: the first `len` words of the batch are initialised.
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
        // SAFETY: `popped` words were written where the batch had room, from items that are no longer in a slot.
        unsafe { batch.added(popped) };
        popped
    }

    #[inline]
    fn pop_batch_here<const N: usize>(&self, class: Class, batch: &mut Batch<T, N>) -> Option<Option<usize>> {
        let (to, room) = batch.room();
        self.run(class, move |token, base, len| {
            let mut state = State::new();
            // SAFETY: as in `push_here`; the batch has room for this many bytes of words, and the state has the size
            // that the section requires.
            unsafe { sections::pop_batch::<STRIDE, _, _>(token, base, len, to, room * WORD, state.pointer()) }?;
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
        // SAFETY: the batch has `room` words after its items, which may be uninitialised, and is borrowed exclusively.
        let room = unsafe { core::slice::from_raw_parts_mut(to.cast(), room) };
        self.shared.pop_batch(class, room)
    }
}

/// Where a section of a batch puts its state and the number of bytes that it has moved.
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
        // SAFETY: the section has written the word 16 bytes from the start, which is within the state.
        unsafe { self.pointer().byte_add(16).read() / WORD }
    }
}
