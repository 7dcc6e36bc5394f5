//! The basis of all stacks: an item of per-CPU memory with an array for each class, and the shared slot.

use super::batch::Batch;
use super::class::Class;
use super::error::Full;
use super::sections;
use super::shared::Shared;
use super::slot::{HEADER, Held, MakeFence, Slot, WORD};
use super::word::Word;
use crate::ops::this_cpu::Error;
use crate::percpu::RemoteError;
use crate::percpu::copies::Copies;
use crate::percpu::fence::fence_index;
use crate::percpu::memory::STRIDE;
use crate::{Ambient, Index, OutOfRange, Token};
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::AtomicUsize;

/// The layout of an item: a header for each class, followed by its words.
#[repr(C)]
struct Slab<const CLASSES: usize, const ITEMS: usize> {
    headers: [[AtomicUsize; HEADER / WORD]; CLASSES],
    items: [AtomicUsize; ITEMS],
}

/// The arrays of `CLASSES` classes with `ITEMS` words together, for each index by `K`.
pub(super) struct Arrays<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> {
    copies: Copies<Slab<CLASSES, ITEMS>, K>,
    shared: Shared<CLASSES, ITEMS>,
    kind: PhantomData<Cell<T>>,
}

// SAFETY: the arrays hold words, which threads access by sections, as atomics and under locks. An item is made from its
// word in the one thread that gets it, which the contract of `Word` allows.
unsafe impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> Sync for Arrays<T, CLASSES, ITEMS, K> {}
// SAFETY: as above.
unsafe impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> Send for Arrays<T, CLASSES, ITEMS, K> {}

type Pointer = *mut usize;

impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> Arrays<T, CLASSES, ITEMS, K> {
    pub(super) const fn new() -> Self {
        const {
            assert!(size_of::<Slab<CLASSES, ITEMS>>() <= STRIDE / 2, "a stack takes at most half a stride of a CPU");
        }
        Self { copies: Copies::new(), shared: Shared::new(), kind: PhantomData }
    }

    /// Runs a section on the slots of a class. None if this thread's sections are off; Some(None) if the section left
    /// because the slot is full, empty or closed.
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
        // SAFETY: the word was made from this item, and has not been pushed.
        Err(Full(unsafe { T::from_word(word) }))
    }

    #[inline]
    fn push_here(&self, class: Class, word: usize) -> Option<Option<()>> {
        self.run(class, move |token, base, len| {
            // SAFETY: `base` is the first of `len` slots that lie STRIDE bytes apart, as `Copies` has them, each the
            // header of `class` and its words.
            unsafe { sections::push::<STRIDE, _, _>(token, base, len, word) }.map(|_| ())
        })
    }

    /// Pushes by a section only. The class is borrowed, because no more than its offset is needed.
    #[inline]
    pub(super) fn push_local(&self, class: &Class, item: T) -> Result<(), Full<T>> {
        let word = item.into_word();
        let pushed = self.copies.run_if_made(|token, base, len| {
            let base = base.cast::<usize>().wrapping_byte_add(class.offset());
            // SAFETY: as in `push_here`.
            unsafe { sections::push::<STRIDE, _, _>(token, base, len, word) }
        });
        // SAFETY: the word was made from this item, and no section has pushed it.
        pushed.map(|_| ()).ok_or_else(|| Full(unsafe { T::from_word(word) }))
    }

    /// Pops by a section only.
    #[inline]
    pub(super) fn pop_local(&self, class: &Class) -> Option<T> {
        let mut word = MaybeUninit::uninit();
        let to = word.as_mut_ptr();
        self.copies.run_if_made(|token, base, len| {
            let base = base.cast::<usize>().wrapping_byte_add(class.offset());
            // SAFETY: as in `push_here`; `to` is a local.
            unsafe { sections::pop::<STRIDE, _, _>(token, base, len, to) }
        })?;
        // SAFETY: the section has committed, so it has written the word, which was made from an item.
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
            // SAFETY: the section has committed, so it has written the word.
            unsafe { word.assume_init() }
        } else {
            self.pop_elsewhere(class)?
        };
        // SAFETY: the word was made from an item, and sections and the shared slot return each word once.
        Some(unsafe { T::from_word(word) })
    }

    /// `to` is a word that the section may write.
    #[inline]
    fn pop_here(&self, class: Class, to: Pointer) -> Option<Option<()>> {
        self.run(class, move |token, base, len| {
            // SAFETY: as in `push_here`; `to` is a local of `pop` or `pop_elsewhere`.
            unsafe { sections::pop::<STRIDE, _, _>(token, base, len, to) }.map(|_| ())
        })
    }

    /// Continues after a section that did not pop.
    #[cold]
    #[inline(never)]
    fn pop_elsewhere(&self, class: Class) -> Option<usize> {
        while let Opened::Now = self.open_here(class, true) {
            let mut word = MaybeUninit::uninit();
            match self.pop_here(class, word.as_mut_ptr()) {
                // SAFETY: the section has committed, so it has written the word.
                Some(Some(())) => return Some(unsafe { word.assume_init() }),
                Some(None) => {}
                None => break,
            }
        }
        self.shared.pop(class)
    }

    #[inline]
    pub(super) fn push_batch<const N: usize>(&self, class: Class, batch: &mut Batch<T, N>) -> usize {
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
    pub(super) fn pop_batch<const N: usize>(&self, class: Class, batch: &mut Batch<T, N>) -> usize {
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

    /// Opens the slot of this thread's index, which is closed in fresh memory and after a drain. With `for_pop` it
    /// stays closed while it is empty.
    fn open_here(&self, class: Class, for_pop: bool) -> Opened {
        loop {
            // A thread whose registration has ended keeps a concurrency ID of 0, which is the slot of another thread.
            let token = Ambient::token().with_index::<K>();
            if !token.is_registered() {
                return Opened::Not;
            }
            let index = token.slot();
            let Some(slot) = self.slot(class, index) else { return Opened::Not };
            if slot.is_open() {
                // The thread may have moved since its section left.
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
                // SAFETY: as in `push_here`; the slot `index` is closed, and held by this thread.
                unsafe { sections::set_top::<STRIDE, _, _>(token, base, len, index as usize, held.top()) }
            });
            match set {
                Some(Some(_)) => {
                    held.open();
                    return Opened::Now;
                }
                // The thread has moved.
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
        // SAFETY: the slab is the headers and words of all classes in this order, so those of `class` are within it;
        // they live as long as it does.
        unsafe { Slot::new(header.byte_add(class.offset()), class.capacity()) }
    }

    /// Takes all items out of the slot of an index, and passes them to `each`.
    pub(super) fn evict(&self, class: Class, index: u32, each: impl FnMut(T)) -> Result<usize, RemoteError> {
        self.evict_by(fence_index::<K>, class, index, each)
    }

    /// The same with the caller's fence.
    pub(super) fn evict_by(
        &self,
        fence: MakeFence,
        class: Class,
        index: u32,
        each: impl FnMut(T),
    ) -> Result<usize, RemoteError> {
        let Some(slot) = self.slot(class, index) else { return Ok(0) };
        if slot.len() == 0 && !slot.is_open() {
            return Ok(0);
        }
        let mut held = slot.hold().ok_or(RemoteError::Busy)?;
        held.close(index, fence)?;
        Ok(Self::take(&mut held, 0, each))
    }

    /// Takes items out of a closed slot while it has more than `left`.
    fn take(held: &mut Held<'_>, left: usize, mut each: impl FnMut(T)) -> usize {
        let words = core::iter::from_fn(|| held.take(left));
        // SAFETY: the word was made from an item. The slot is closed, so each word is taken once.
        words.map(|word| each(unsafe { T::from_word(word) })).count()
    }

    /// Evicts all items of a class, those of the shared slot too.
    pub(super) fn evict_all(&self, class: Class, mut each: impl FnMut(T)) -> Result<usize, RemoteError> {
        let mut count = 0;
        for (index, _) in self.copies.iter().enumerate() {
            count += self.evict(class, index as u32, &mut each)?;
        }
        let shared = core::iter::from_fn(|| self.shared.pop(class));
        // SAFETY: the word was made from an item, and the shared slot returns each word once.
        count += shared.map(|word| each(unsafe { T::from_word(word) })).count();
        Ok(count)
    }

    /// Changes the capacity of the slot of an index, and passes the items beyond it to `each`.
    pub(super) fn resize(
        &self,
        class: Class,
        index: u32,
        capacity: usize,
        each: impl FnMut(T),
    ) -> Result<usize, RemoteError> {
        self.resize_by(fence_index::<K>, class, index, capacity, each)
    }

    /// The same with the caller's fence.
    pub(super) fn resize_by(
        &self,
        fence: MakeFence,
        class: Class,
        index: u32,
        capacity: usize,
        each: impl FnMut(T),
    ) -> Result<usize, RemoteError> {
        if capacity > class.capacity() {
            return Err(RemoteError::TooLarge);
        }
        let slot = self.slot(class, index).or_else(|| {
            // Makes the memory if there is none.
            self.copies.run(|_, _, _| Ok(()))?;
            self.slot(class, index)
        });
        let mut held = slot.ok_or(RemoteError::NoSlot(index))?.hold().ok_or(RemoteError::Busy)?;
        if capacity >= held.capacity() {
            held.grow(capacity);
            return Ok(0);
        }
        held.close(index, fence)?;
        held.set_capacity(capacity);
        Ok(Self::take(&mut held, capacity, each))
    }

    /// The number of items in the slot of an index, which may change at any time.
    pub(super) fn len_of(&self, class: Class, index: u32) -> usize {
        self.slot(class, index).map_or(0, Slot::len)
    }

    /// Items in all slots.
    pub(super) fn len(&self, class: Class) -> usize {
        self.copies.iter().map(|slab| Self::slot_in(class, slab).len()).sum::<usize>() + self.shared.len(class)
    }

    /// The capacity of the slot of an index, open or not.
    pub(super) fn capacity_of(&self, class: Class, index: u32) -> usize {
        self.slot(class, index).map_or(class.capacity(), Slot::capacity)
    }

    /// Drops the items of a class, which no thread uses any longer.
    pub(super) fn clear(&mut self, class: Class) {
        if core::mem::needs_drop::<T>() {
            // No thread is in a section, so this needs no fence, which could be refused; no thread holds a slot.
            for (index, _) in self.copies.iter().enumerate() {
                let _ = self.evict_by(|_| Ok(()), class, index as u32, drop);
            }
            while let Some(word) = self.shared.pop(class) {
                // SAFETY: as in `evict_all`.
                drop(unsafe { T::from_word(word) });
            }
        }
    }
}

impl<T: Word, const CLASSES: usize, const ITEMS: usize, K: Index> fmt::Debug for Arrays<T, CLASSES, ITEMS, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrays").field("copies", &self.copies).finish_non_exhaustive()
    }
}

/// Whether the slot of a thread is open.
enum Opened {
    /// It was open before: the section that left found it full or empty.
    Before,
    /// It is open now: the section should run again.
    Now,
    /// It is not.
    Not,
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
