//! A span: blocks of one class in a mapping, which begins with a header.

use crate::{class, large};
use core::mem::size_of;
use core::ptr::{self, NonNull};

/// The header of a span. Only the holder of the heap's lock may use it.
#[repr(C)]
pub struct Span {
    /// The number of its heap.
    heap: usize,
    /// Blocks that are not in the span.
    out: u32,
    /// Blocks made so far, from the first on.
    made: u32,
    /// The blocks that were returned: each holds the address of the next one.
    back: *mut Back,
    /// The neighbours in the list of spans with free blocks, or null.
    pub next: *mut Self,
    pub previous: *mut Self,
}

/// A block in its span.
struct Back {
    next: *mut Self,
}

/// The offset of a class's first block: a multiple of the alignment of all of its blocks.
const fn first(class: usize) -> usize {
    let align = class::align_of(class);
    if align < size_of::<Span>() { 64 } else { align }
}
const _: () = assert!(size_of::<Span>() <= 64);

/// The number of blocks in a span of a class.
const fn blocks(class: usize) -> u32 {
    ((class::span(class) - first(class)) / class::size(class)) as u32
}

impl Span {
    /// Maps a fresh span, with all of its blocks; `None` without memory.
    pub fn map(heap: usize, class: usize) -> Option<NonNull<Self>> {
        let span = large::aligned(class::span(class), class::span(class))?.cast::<Self>();
        let (next, previous) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the mapping is fresh, larger than a header, and aligned to a page.
        unsafe { span.write(Self { heap, out: 0, made: 0, back: ptr::null_mut(), next, previous }) };
        Some(span)
    }

    /// The span of a block.
    ///
    /// # Safety
    ///
    /// The block is of this class.
    pub unsafe fn of(block: NonNull<u8>, class: usize) -> NonNull<Self> {
        let span = block.as_ptr().map_addr(|address| address & !(class::span(class) - 1));
        // SAFETY: a block lies within its span, which is aligned to its size, so this is the span's address; it is not
        // 0.
        unsafe { NonNull::new_unchecked(span.cast()) }
    }

    /// The number of its heap.
    pub fn heap(&self) -> usize {
        self.heap
    }

    /// Whether it has no free block.
    pub fn is_empty(&self, class: usize) -> bool {
        self.out == blocks(class)
    }

    /// Whether it has all of its blocks.
    pub fn is_whole(&self) -> bool {
        self.out == 0
    }

    /// Takes a block out; `None` if there is none.
    ///
    /// # Safety
    ///
    /// The span is of this class, mapped by [`map`](Self::map), and the caller alone uses it.
    pub unsafe fn take(span: NonNull<Self>, class: usize) -> Option<NonNull<u8>> {
        // SAFETY: by the caller's contract this is the only user of the header.
        let header = unsafe { &mut *span.as_ptr() };
        let block = if let Some(back) = NonNull::new(header.back) {
            // SAFETY: a returned block holds the address of the next one, which `put` wrote, and nothing else uses it.
            header.back = unsafe { back.as_ref() }.next;
            back.cast()
        } else if header.made < blocks(class) {
            let offset = first(class) + header.made as usize * class::size(class);
            header.made += 1;
            // SAFETY: the offset is that of one of the span's blocks, which are within the mapping.
            unsafe { span.cast::<u8>().add(offset) }
        } else {
            return None;
        };
        header.out += 1;
        Some(block)
    }

    /// Returns a block.
    ///
    /// # Safety
    ///
    /// [`take`](Self::take) returned the block for this span. The block is no longer used, and only the caller uses the
    /// span.
    pub unsafe fn put(span: NonNull<Self>, block: NonNull<u8>) {
        // SAFETY: by the caller's contract this is the only user of the header and of the block, which has room for an
        // address and is aligned to 16 bytes.
        unsafe {
            let header = &mut *span.as_ptr();
            let back = block.cast::<Back>();
            back.write(Back { next: header.back });
            header.back = back.as_ptr();
            header.out -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn blocks_of_all_classes_are_aligned_and_do_not_overlap() {
        for class in 0..class::CLASSES {
            let span = Span::map(7, class).unwrap();
            // SAFETY: the span is this test's alone, and of this class.
            let mut take = || unsafe { Span::take(span, class) };
            let taken: BTreeSet<_> = core::iter::from_fn(&mut take).collect();
            assert_eq!(taken.len(), blocks(class) as usize);
            let (start, end) = (span.addr().get(), span.addr().get() + class::span(class));
            let places: std::vec::Vec<_> = taken.iter().map(|block| block.addr().get()).collect();
            assert!(places.iter().all(|place| place % class::align_of(class) == 0 && place % 16 == 0), "class {class}");
            assert!(places[0] >= start + size_of::<Span>() && places[places.len() - 1] + class::size(class) <= end);
            assert!(places.windows(2).all(|pair| pair[0] + class::size(class) <= pair[1]), "class {class}");
            for block in taken.iter().copied() {
                // SAFETY: it was taken from this span, which is its own.
                unsafe {
                    assert_eq!(Span::of(block, class), span);
                    Span::put(span, block);
                }
            }
            let again: BTreeSet<_> = core::iter::from_fn(take).collect();
            assert_eq!(again, taken);
            // SAFETY: the span was mapped by this test, and is not used after this.
            unsafe { large::unmap_span(span.cast(), class::span(class)) };
        }
    }
}
