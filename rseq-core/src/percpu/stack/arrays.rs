//! The arrays of stacks: an item of per-CPU memory with a slot for each class, and the shared slot.

mod evict;
mod transfer;

use super::batch::Full;
use super::class::Class;
use super::shared::Shared;
use super::stack_sections;
use super::stack_slot::{HEADER, Slot, WORD};
use super::word::Word;
use crate::ops::this_cpu::Error;
use crate::percpu::copies::Copies;
use crate::percpu::memory::STRIDE;
use crate::{Ambient, Index, OutOfRange, Token};
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::AtomicUsize;

/// The layout of an item: for each class, a header followed by the words of its array.
#[repr(C)]
struct Slab<const CLASSES: usize, const ITEMS: usize> {
    headers: [[AtomicUsize; HEADER / WORD]; CLASSES],
    items: [AtomicUsize; ITEMS],
}

/// The arrays of `CLASSES` classes with `ITEMS` words in total, for each index of `K`.
pub(super) struct Arrays<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> {
    copies: Copies<Slab<CLASSES, ITEMS>, K>,
    shared: Shared<CLASSES, ITEMS>,
    kind: PhantomData<Cell<T>>,
}

// SAFETY: threads access the words of arrays by sections, as atomics and under locks. Each word is returned to one
// thread, which makes the item from it; the contract of `Word` allows another thread than the one that pushed it.
unsafe impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> Sync for Arrays<T, CLASSES, ITEMS, K> {}
// SAFETY: as for `Sync`. The arrays do not belong to a thread.
unsafe impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> Send for Arrays<T, CLASSES, ITEMS, K> {}

type Pointer = *mut usize;

impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> Arrays<T, CLASSES, ITEMS, K> {
    pub(super) const fn new() -> Self {
        const {
            assert!(size_of::<Slab<CLASSES, ITEMS>>() <= STRIDE / 2, "a stack takes at most half a stride of a CPU");
        }
        Self { copies: Copies::new(), shared: Shared::new(), kind: PhantomData }
    }

    /// Runs a section on the slots of a class. `section` gets the address of the first slot, and the number of slots,
    /// which are STRIDE bytes apart. Each is the header of the class, followed by its words.
    ///
    /// Returns None if this thread's sections are off; Some(None) if the slot was full, empty or closed.
    #[inline]
    pub(super) fn run<R>(
        &self,
        class: Class,
        mut section: impl FnMut(Token<'static, Ambient, K>, Pointer, usize) -> Result<R, Error>,
    ) -> Option<Option<R>> {
        self.copies.run(move |token, base, len| {
            match section(token, base.cast::<usize>().wrapping_byte_add(class.offset()), len) {
                Ok(done) => Ok(Some(done)),
                Err(Error::CompareFailed) => Ok(None),
                Err(Error::OutOfRange) => Err(OutOfRange),
            }
        })
    }

    #[inline]
    pub(super) fn push(&self, class: Class, item: T) -> Result<(), Full<T>> {
        let word = item.into_word();
        if self.push_here(class, word) == Some(Some(())) || self.push_elsewhere(class, word) {
            return Ok(());
        }
        // SAFETY: `into_word` made the word from this item. It was not pushed, so that the item is made from it once.
        Err(Full(unsafe { T::from_word(word) }))
    }

    #[inline]
    fn push_here(&self, class: Class, word: usize) -> Option<Option<()>> {
        self.run(class, move |token, base, len| {
            // SAFETY: `run` passes the first of `len` slots that are STRIDE bytes apart, each a header and its words.
            unsafe { stack_sections::push::<STRIDE, _, _>(token, base, len, word) }.map(|_| ())
        })
    }

    /// Pushes by a section only. The class is passed by reference because only its offset is needed.
    #[inline]
    pub(super) fn push_local(&self, class: &Class, item: T) -> Result<(), Full<T>> {
        let word = item.into_word();
        let pushed = self.copies.run_if_made(|token, base, len| {
            let base = base.cast::<usize>().wrapping_byte_add(class.offset());
            // SAFETY: `Copies` passes the first of `len` items that are STRIDE bytes apart. The slot of the class is at
            // its offset in each: a header and its words.
            unsafe { stack_sections::push::<STRIDE, _, _>(token, base, len, word) }
        });
        // SAFETY: `into_word` made the word from this item. No section has pushed it, so that the item is made from it
        // once.
        pushed.map(|_| ()).ok_or_else(|| Full(unsafe { T::from_word(word) }))
    }

    /// Pops by a section only.
    #[inline]
    pub(super) fn pop_local(&self, class: &Class) -> Option<T> {
        let mut word = MaybeUninit::uninit();
        let to = word.as_mut_ptr();
        self.copies.run_if_made(|token, base, len| {
            let base = base.cast::<usize>().wrapping_byte_add(class.offset());
            // SAFETY: `Copies` passes the first of `len` items that are STRIDE bytes apart. The slot of the class is at
            // its offset in each: a header and its words. `to` points to the local `word`.
            unsafe { stack_sections::pop::<STRIDE, _, _>(token, base, len, to) }
        })?;
        // SAFETY: the section has committed, so that it has written `word`. `into_word` made it from an item, and the
        // commit removed it from the slot, so that the item is made from it once.
        Some(unsafe { T::from_word(word.assume_init()) })
    }

    /// Continues after a section that did not push.
    #[cold]
    #[inline(never)]
    fn push_elsewhere(&self, class: Class, word: usize) -> bool {
        loop {
            match self.open_here(class, false) {
                Opened::Now => {}
                Opened::Before => return false,
                Opened::Not => return self.shared.push(class, word),
            }
            match self.push_here(class, word) {
                Some(Some(())) => return true,
                Some(None) => {}
                None => return self.shared.push(class, word),
            }
        }
    }

    #[inline]
    pub(super) fn pop(&self, class: Class) -> Option<T> {
        let mut word = MaybeUninit::uninit();
        let word = if self.pop_here(class, word.as_mut_ptr()) == Some(Some(())) {
            // SAFETY: the section has committed, so that it has written the word.
            unsafe { word.assume_init() }
        } else {
            self.pop_elsewhere(class)?
        };
        // SAFETY: `into_word` made the word from an item. Sections and the shared slot return each word once.
        Some(unsafe { T::from_word(word) })
    }

    /// The section writes the word to `to`, which is a local of `pop` or `pop_elsewhere`.
    #[inline]
    fn pop_here(&self, class: Class, to: Pointer) -> Option<Option<()>> {
        self.run(class, move |token, base, len| {
            // SAFETY: `run` passes the first of `len` slots that are STRIDE bytes apart, each a header and its words.
            // The callers pass the address of a local.
            unsafe { stack_sections::pop::<STRIDE, _, _>(token, base, len, to) }.map(|_| ())
        })
    }

    /// Continues after a section that did not pop.
    #[cold]
    #[inline(never)]
    fn pop_elsewhere(&self, class: Class) -> Option<usize> {
        while let Opened::Now = self.open_here(class, true) {
            let mut word = MaybeUninit::uninit();
            match self.pop_here(class, word.as_mut_ptr()) {
                // SAFETY: the section has committed, so that it has written the word.
                Some(Some(())) => return Some(unsafe { word.assume_init() }),
                Some(None) => {}
                None => break,
            }
        }
        self.shared.pop(class)
    }

    /// Opens the slot of this thread's index. A slot is closed in zeroed memory, and after it was drained. With
    /// `for_pop`, an empty slot stays closed.
    fn open_here(&self, class: Class, for_pop: bool) -> Opened {
        loop {
            // After its registration has ended, a thread has a concurrency ID of 0, whose slot is another thread's.
            let token = Ambient::token().with_index::<K>();
            if !token.is_registered() {
                return Opened::Not;
            }
            let index = token.slot();
            let Some(slot) = self.slot(class, index) else { return Opened::Not };
            if slot.is_open() {
                // The thread may have migrated since its section exited.
                let is_done = if for_pop { slot.len() == 0 } else { slot.len() >= slot.capacity() };
                return if is_done { Opened::Before } else { Opened::Now };
            }
            if for_pop && slot.len() == 0 {
                return Opened::Not;
            }
            let Some(mut held) = slot.hold() else { return Opened::Not };
            if held.is_open() {
                return Opened::Now;
            }
            let set = self.run(class, |token, base, len| {
                // SAFETY: `run` passes the first of `len` slots that are STRIDE bytes apart, each a header and its
                // words. The slot `index` is closed, and this thread holds it.
                unsafe { stack_sections::set_top::<STRIDE, _, _>(token, base, len, index as usize, held.top()) }
            });
            match set {
                Some(Some(_)) => {
                    held.open();
                    return Opened::Now;
                }
                // The thread has migrated.
                Some(None) => {}
                None => return Opened::Not,
            }
        }
    }

    /// The slot of an index, if there is one.
    pub(super) fn slot(&self, class: Class, index: u32) -> Option<Slot<'_>> {
        let slab = self.copies.iter().nth(index as usize)?;
        Some(Self::slot_in(class, slab))
    }

    fn slot_in(class: Class, slab: &Slab<CLASSES, ITEMS>) -> Slot<'_> {
        let header = NonNull::from(slab).cast::<u8>();
        // SAFETY: the offset and capacity of `class` are those of its header and words in the slab. They are zero in
        // fresh memory, are valid as long as the reference to the slab, and are only accessed by slots and sections.
        unsafe { Slot::new(header.byte_add(class.offset()), class.capacity()) }
    }

    /// The number of items in the slot of an index. Other threads may change it at any time.
    pub(super) fn len_of(&self, class: Class, index: u32) -> usize {
        self.slot(class, index).map_or(0, Slot::len)
    }

    /// The number of items in all slots of a class.
    pub(super) fn len(&self, class: Class) -> usize {
        self.copies.iter().map(|slab| Self::slot_in(class, slab).len()).sum::<usize>() + self.shared.len(class)
    }

    /// The capacity of the slot of an index, open or not.
    pub(super) fn capacity_of(&self, class: Class, index: u32) -> usize {
        self.slot(class, index).map_or(class.capacity(), Slot::capacity)
    }
}

impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> fmt::Debug for Arrays<T, CLASSES, ITEMS, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrays").field("copies", &self.copies).finish_non_exhaustive()
    }
}

/// The result of opening a slot.
enum Opened {
    /// It was open already, and full or empty.
    Before,
    /// It is open now: the section should run again.
    Now,
    /// It is closed, or this thread has no slot.
    Not,
}
