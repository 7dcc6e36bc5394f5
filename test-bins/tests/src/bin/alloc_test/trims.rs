//! Memory that goes back: spans whose blocks are all free, and what CPUs cache.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use harness::ktap::{OrFail, Verdict};
use harness::sys::call;
use harness::sys::cpu::{self, Set};
use harness::{ensure, note, skip};
use linux_raw_sys::general::__NR_mincore;
use rseq_core::sys::{Errno, register_membarrier_rseq};
use rseq_core::{Status, status};
use rseq_heap::Heap;

/// Blocks that know the one before them.
struct Chain {
    last: *mut Link,
}

#[repr(C)]
struct Link {
    before: *mut Link,
    rest: [usize; 10],
}

const LAYOUT: Layout = Layout::new::<Link>();

impl Chain {
    const EMPTY: Self = Self { last: ptr::null_mut() };

    fn allocate(&mut self, heap: &Heap, count: usize) -> Verdict {
        for _ in 0..count {
            // SAFETY: the size is not 0.
            let link = NonNull::new(unsafe { heap.alloc(LAYOUT) }).or_fail("memory")?.cast::<Link>();
            // SAFETY: the block has this layout.
            unsafe { link.write(Link { before: self.last, rest: [1; 10] }) };
            self.last = link.as_ptr();
        }
        Ok(())
    }

    fn free(&mut self, heap: &Heap) -> Verdict {
        while let Some(link) = NonNull::new(self.last) {
            // SAFETY: links are blocks of this layout, written by `allocate`.
            unsafe {
                ensure!(link.as_ref().rest == [1; 10], "a block was overwritten");
                self.last = link.as_ref().before;
                heap.dealloc(link.as_ptr().cast(), LAYOUT);
            }
        }
        Ok(())
    }
}

/// Whether something is mapped there.
fn is_mapped(address: usize) -> bool {
    let mut state = 0_u8;
    // SAFETY: the kernel writes a byte for the one page that is asked about.
    let result = unsafe { call(__NR_mincore, [address & !0xffff, 1, &raw mut state as usize]) };
    result != Err(Errno::ENOMEM)
}

/// Most memory goes back when blocks are freed, the rest by a trim.
pub fn returned() -> Verdict {
    static HEAP: Heap = Heap::new();
    const COUNT: usize = 60_000;
    let mut chain = Chain::EMPTY;
    chain.allocate(&HEAP, COUNT)?;
    let (full, first) = (HEAP.usage(), chain.last.addr());
    ensure!(full.allocated == COUNT && is_mapped(first), "{full:?} with {COUNT} blocks");
    ensure!(full.mapped < COUNT * size_of::<Link>() * 5 / 4, "{full:?}: more than a fifth is unused");
    chain.free(&HEAP)?;
    let freed = HEAP.usage();
    let bytes = HEAP.trim();
    let trimmed = HEAP.usage();
    note!(
        "{} KiB, {} after all was freed, {} after a trim",
        full.mapped >> 10,
        freed.mapped >> 10,
        trimmed.mapped >> 10
    );
    ensure!(freed.allocated == 0 && freed.mapped <= full.mapped / 8, "{freed:?} after all was freed, {full:?} before");
    ensure!(bytes <= freed.mapped, "{bytes} bytes went back, of {freed:?}");
    if trimmed.cached > 0 {
        return fence().and(Err(harness::fail!("{trimmed:?} after a trim")));
    }
    ensure!(trimmed.mapped == 0 && !is_mapped(first), "{trimmed:?} after a trim");
    Ok(())
}

/// A skip where the kernel has no fence.
fn fence() -> Verdict {
    register_membarrier_rseq().map_err(|error| skip!("{error}"))
}

/// The cache of a CPU that its threads have left is emptied from another one, and used again.
pub fn drained() -> Verdict {
    static HEAP: Heap = Heap::new();
    if let Status::Off(cause) = status() {
        return Err(skip!("{cause}"));
    }
    fence()?;
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let first = allowed.iter().next().or_fail("a CPU")?;
    let other = allowed.after(first).unwrap_or(first);
    for _ in 0..3 {
        for (here, there) in [(first, other), (other, first)] {
            cpu::set_affinity(0, &Set::only(here)).or_fail("sched_setaffinity")?;
            let mut chain = Chain::EMPTY;
            chain.allocate(&HEAP, 40)?;
            chain.free(&HEAP)?;
            let cached = HEAP.usage().cached;
            cpu::set_affinity(0, &Set::only(there)).or_fail("sched_setaffinity")?;
            HEAP.trim();
            let usage = HEAP.usage();
            ensure!(cached >= 40, "{cached} blocks cached of 40 that were freed on CPU {here}");
            ensure!(
                usage.cached == 0 && usage.mapped == 0,
                "{usage:?} after a trim on CPU {there}, {cached} cached before"
            );
        }
    }
    cpu::set_affinity(0, &allowed).or_fail("sched_setaffinity")
}
