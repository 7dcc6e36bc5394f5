//! What the linker made of this program's sections: descriptors, the array of their addresses, the exit points.
//!
//! The symbols are those of `linker/rseq.ld`, and of linkers for sections with such names.

use core::slice;

use rseq_core::abi::RseqCs;

unsafe extern "C" {
    static __start___rseq_cs: [RseqCs; 0];
    static __stop___rseq_cs: [RseqCs; 0];
    static __start___rseq_cs_ptr_array: [u64; 0];
    static __stop___rseq_cs_ptr_array: [u64; 0];
    static __start___rseq_exit_point_array: [[u64; 2]; 0];
    static __stop___rseq_exit_point_array: [[u64; 2]; 0];
}

/// # Safety
///
/// The two are the bounds of one array of `T` that is never written.
unsafe fn between<T>(start: *const T, stop: *const T) -> &'static [T] {
    let count = (stop as usize).wrapping_sub(start as usize) / size_of::<T>();
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(start, count) }
}

/// The descriptors of this program.
pub fn descriptors() -> &'static [RseqCs] {
    // SAFETY: the linker sets both around the section, whose size the script asserts; it is read-only.
    unsafe { between((&raw const __start___rseq_cs).cast(), (&raw const __stop___rseq_cs).cast()) }
}

/// The addresses of the descriptors.
pub fn pointers() -> &'static [u64] {
    // SAFETY: as in `descriptors`.
    unsafe { between((&raw const __start___rseq_cs_ptr_array).cast(), (&raw const __stop___rseq_cs_ptr_array).cast()) }
}

/// First instructions of sections, and where their branches lead out to.
pub fn exit_points() -> &'static [[u64; 2]] {
    // SAFETY: as in `descriptors`.
    unsafe {
        between((&raw const __start___rseq_exit_point_array).cast(), (&raw const __stop___rseq_exit_point_array).cast())
    }
}
