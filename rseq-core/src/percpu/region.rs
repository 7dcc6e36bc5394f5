//! Per-CPU memory: items at the same offset in the copy of each CPU.

use super::lock::SpinLock;
use crate::sys;
use core::alloc::Layout;
use core::ptr::{self, NonNull};

/// Bytes at the start of each range that the region itself uses.
const HEADER: usize = 64;

/// Sizes of items are powers of two, from a word on.
const CLASSES: usize = usize::BITS as usize;

/// Memory that has a copy for each CPU, `STRIDE` bytes apart. An item is at the same offset in each copy, so its
/// address on a CPU is that on CPU 0 plus the CPU's number times `STRIDE`.
#[derive(Debug)]
pub struct Region<const STRIDE: usize = { 1 << 16 }> {
    state: SpinLock<State>,
}

#[derive(Debug)]
struct State {
    /// The newest range, which begins with the address of the one before it; 0 if there is none.
    range: usize,
    /// Bytes of the newest range's copies that are taken.
    used: usize,
    /// Items that were freed, by the logarithm of their size: each begins with the address of the next one.
    free: [usize; CLASSES],
}

impl<const STRIDE: usize> Region<STRIDE> {
    /// A region without memory, which it maps when items are allocated.
    pub const fn new() -> Self {
        Self { state: SpinLock::new(State { range: 0, used: STRIDE, free: [0; CLASSES] }) }
    }

    /// Allocates an item of zeroes; the address is that of CPU 0. None if there is no memory, or none so large.
    pub fn alloc(&self, layout: Layout) -> Option<NonNull<u8>> {
        let slots = super::memory::region()?.1;
        let class = class(layout, STRIDE)?;
        self.state.with(|state| state.recycle(class, slots, STRIDE).or_else(|| state.cut(class, slots, STRIDE)))
    }

    /// Frees an item.
    ///
    /// # Safety
    ///
    /// It is one that [`alloc`](Self::alloc) of this region returned for `layout`, and it is not used any more.
    pub unsafe fn free(&self, item: NonNull<u8>, layout: Layout) {
        let Some(class) = class(layout, STRIDE) else { return };
        self.state.with(|state| {
            // SAFETY: an item is a word at least, aligned to one, and nobody else uses it any more.
            unsafe { item.cast::<usize>().write(state.free[class]) };
            state.free[class] = item.as_ptr().expose_provenance();
        });
    }
}

impl<const STRIDE: usize> Default for Region<STRIDE> {
    fn default() -> Self {
        Self::new()
    }
}

/// The logarithm of the size of items for `layout`.
fn class(layout: Layout, stride: usize) -> Option<usize> {
    let size = layout.size().max(layout.align()).max(size_of::<usize>()).checked_next_power_of_two()?;
    (size <= stride / 2).then_some(size.trailing_zeros() as usize)
}

impl State {
    /// An item that was freed, made zero again on every CPU.
    fn recycle(&mut self, class: usize, slots: usize, stride: usize) -> Option<NonNull<u8>> {
        let item = NonNull::new(ptr::with_exposed_provenance_mut::<u8>(self.free[class]))?;
        // SAFETY: a freed item begins with the address of the next one, and nobody else uses it; its copies are `stride`
        // bytes apart, one for each of `slots` CPUs.
        unsafe {
            self.free[class] = item.cast::<usize>().read();
            for slot in 0..slots {
                item.byte_add(slot * stride).write_bytes(0, 1 << class);
            }
        }
        Some(item)
    }

    /// A new item, of the newest range or of one more.
    fn cut(&mut self, class: usize, slots: usize, stride: usize) -> Option<NonNull<u8>> {
        let size = 1usize << class;
        let mut start = self.used.next_multiple_of(size);
        if start + size > stride {
            let range = sys::map(slots.checked_mul(stride)?).ok()?;
            // SAFETY: the range is fresh memory, page-aligned, and larger than a word.
            unsafe { range.cast::<usize>().write(self.range) };
            self.range = range.as_ptr().expose_provenance();
            start = HEADER.next_multiple_of(size);
        }
        self.used = start + size;
        NonNull::new(ptr::with_exposed_provenance_mut(self.range + start))
    }
}

#[cfg(all(test, not(rseq_stub)))]
mod tests {
    extern crate std;

    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn items_are_apart_and_zero_when_they_come_again() {
        let region = Region::<4096>::new();
        let slots = super::super::memory::region().unwrap().1;
        let layout = Layout::from_size_align(48, 8).unwrap();
        let items: BTreeSet<_> = (0..100).map(|_| region.alloc(layout).unwrap().as_ptr().addr()).collect();
        assert_eq!(items.len(), 100);
        assert!(items.iter().zip(items.iter().skip(1)).all(|(one, next)| next - one >= 64));
        for slot in 0..slots {
            for &item in &items {
                let copy = ptr::with_exposed_provenance_mut::<u8>(item + slot * 4096);
                // SAFETY: 48 bytes of an item's copy.
                unsafe { copy.write_bytes(1, 48) };
            }
        }
        let first = NonNull::new(ptr::with_exposed_provenance_mut(*items.first().unwrap())).unwrap();
        // SAFETY: it is of this region, and not used any more.
        unsafe { region.free(first, layout) };
        assert_eq!(region.alloc(layout), Some(first));
        // SAFETY: 48 bytes of each copy.
        let is_zero = |slot| unsafe { first.byte_add(slot * 4096).cast::<[u8; 48]>().read() } == [0; 48];
        assert!((0..slots).all(is_zero));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let region = Region::<4096>::new();
        assert_eq!(region.alloc(Layout::from_size_align(4000, 8).unwrap()), None);
        assert_eq!(region.alloc(Layout::from_size_align(8, 4096).unwrap()), None);
        assert!(region.alloc(Layout::from_size_align(2048, 8).unwrap()).is_some());
    }
}
