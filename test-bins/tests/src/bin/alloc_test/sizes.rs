//! Blocks of one thread: their sizes, their alignments and what is in them.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;

use harness::ensure;
use harness::ktap::{OrFail, Verdict};
use rseq_heap::Heap;

static HEAP: Heap = Heap::new();

const SIZES: [usize; 12] = [1, 16, 17, 128, 129, 700, 4096, 8192, 8193, 100_000, 131_072, 131_073];

/// A block of each size and alignment, zeroed, twice: the second time of memory that was used.
pub fn all() -> Verdict {
    for fill in [1, 2] {
        for align in (0..=17).map(|shift| 1 << shift) {
            let mut blocks = [None; SIZES.len()];
            for (size, block) in SIZES.into_iter().zip(&mut blocks) {
                let layout = Layout::from_size_align(size, align).ok().or_fail("a layout")?;
                // SAFETY: the size is not 0.
                let start = NonNull::new(unsafe { HEAP.alloc_zeroed(layout) }).or_fail("memory")?;
                ensure!(start.addr().get() & (align - 1) == 0, "{size} bytes aligned to {align}: {start:?}");
                // SAFETY: the block has so many bytes, zeroed.
                let bytes = unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), size) };
                ensure!(bytes.iter().all(|&byte| byte == 0), "{size} bytes aligned to {align} are not zeroed");
                bytes.fill(fill);
                *block = Some((start, layout));
            }
            for (start, layout) in blocks.into_iter().flatten() {
                // SAFETY: the block has so many bytes, which `fill` has written; it was allocated for this layout.
                let intact = unsafe {
                    let bytes = core::slice::from_raw_parts(start.as_ptr(), layout.size());
                    let intact = bytes.iter().all(|&byte| byte == fill);
                    HEAP.dealloc(start.as_ptr(), layout);
                    intact
                };
                ensure!(intact, "{} bytes aligned to {align} were overwritten", layout.size());
            }
        }
    }
    let left = HEAP.usage().allocated;
    ensure!(left == 0, "{left} blocks are in use, all were freed");
    Ok(())
}

/// A block that becomes larger and smaller keeps what is in it, and stays where it is within its size class.
pub fn resized() -> Verdict {
    let layout = |size| Layout::from_size_align(size, 8).ok().or_fail("a layout");
    let mut old = layout(900)?;
    // SAFETY: the size is not 0.
    let mut block = NonNull::new(unsafe { HEAP.alloc(old) }).or_fail("memory")?;
    // SAFETY: the block has a byte.
    unsafe { block.write(7) };
    for (size, stays) in [(1024, true), (1025, false), (1280, true), (200_000, false), (400_000, true), (897, false)] {
        // SAFETY: the block has this layout, and the size is not 0.
        let new = NonNull::new(unsafe { HEAP.realloc(block.as_ptr(), old, size) }).or_fail("memory")?;
        // A mapping may stay or not.
        ensure!((new == block) == stays || size == 400_000, "{} bytes became {size}: {block:?}, {new:?}", old.size());
        // SAFETY: the block has a byte, which was written.
        ensure!(unsafe { new.read() } == 7, "{} bytes became {size}, and lost what was in them", old.size());
        (block, old) = (new, layout(size)?);
    }
    // SAFETY: the block has this layout.
    unsafe { HEAP.dealloc(block.as_ptr(), old) };
    Ok(())
}
