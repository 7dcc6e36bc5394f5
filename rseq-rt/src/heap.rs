//! The global allocator of the feature `alloc`: a heap with a cache of free blocks for each CPU.
//!
//! It is [`rseq_heap::Heap`], whose documentation describes where blocks come from. A child of `fork` may allocate and
//! free at once, whatever other threads did during the fork. A signal handler must not allocate or free: if it has
//! interrupted a thread that holds the heap's lock, it would wait for itself.

use rseq_heap::Heap;
pub use rseq_heap::Usage;

#[global_allocator]
static HEAP: Heap = Heap::new();

/// Returns the memory of freed blocks to the kernel, including what CPUs cache, even offline ones. Returns how many
/// bytes.
///
/// The heap does so by itself when the kernel is out of memory. It takes a fence (`membarrier`, Linux 5.10) for each
/// size that a CPU has cached; where the kernel refuses fences, the caches keep their blocks.
///
/// # Examples
///
/// ```ignore
/// drop(index);
/// rseq_rt::println!("{} bytes given back", rseq_rt::heap::trim());
/// ```
pub fn trim() -> usize {
    HEAP.trim()
}

/// The memory of the heap's blocks of up to 128 KiB.
pub fn usage() -> Usage {
    HEAP.usage()
}
