//! What the heap grows by: chunks of one size, each at a multiple of it, which begin with the number of their heap.

use super::large;
use core::ptr::NonNull;
use talc::Span;

/// Bytes of a chunk, and its alignment: several times the largest small block with its alignment.
const SIZE: usize = 1 << 20;
const _: () = assert!(SIZE >= 4 * large::LIMIT);

/// Bytes before the part that is the heap's.
const HEADER: usize = 64;

/// A fresh chunk of this heap: the part that blocks are made of.
pub fn map(heap: usize) -> Option<Span> {
    let chunk = large::aligned(SIZE, SIZE)?;
    // SAFETY: the chunk is fresh, and larger than its header.
    unsafe {
        chunk.cast::<usize>().write(heap);
        Some(Span::from_base_size(chunk.as_ptr().add(HEADER), SIZE - HEADER))
    }
}

/// The number of the heap that a small block is of.
///
/// # Safety
///
/// The block is within a chunk.
pub unsafe fn heap_of(block: NonNull<u8>) -> usize {
    let chunk = block.as_ptr().map_addr(|address| address & !(SIZE - 1));
    // SAFETY: chunks are aligned to their size, begin with this word and are never unmapped.
    unsafe { chunk.cast::<usize>().read() }
}
