//! The global allocator of the feature `alloc`: a heap with a cache of free blocks for each CPU.
//!
//! It is [`rseq_heap::Heap`], whose documentation says where blocks come from. A child of `fork` may allocate and free
//! at once, whatever other threads did at the fork. A signal handler must not allocate or free: where it has
//! interrupted a thread that holds the heap's lock, it would wait for itself.

use rseq_heap::Heap;
pub use rseq_heap::Usage;

#[global_allocator]
static HEAP: Heap = Heap::new();

/// Gives memory of freed blocks back to the kernel, also what CPUs cache, offline ones too, and returns how many bytes.
///
/// The heap does it by itself when the kernel has no more memory. It takes a fence (`membarrier`, Linux 5.10) for each
/// size that a CPU has cached; where the kernel refuses fences, the caches stay as they are.
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

/// What the heap's blocks of up to 128 KiB take.
pub fn usage() -> Usage {
    HEAP.usage()
}
