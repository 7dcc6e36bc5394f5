//! The memory of a thread whose stack is std's: the packet.

use crate::sys;
use crate::thread::builder::MIN_STACK_SIZE;
use core::alloc::Layout;
use core::ops::Range;
use core::ptr::NonNull;
use rseq_core::sys::Errno;

/// The smallest pages that Linux has.
const PAGE: usize = 4096;

/// The memory of a thread that does not run yet, or not any more.
#[derive(Clone, Copy)]
pub struct Memory {
    start: NonNull<u8>,
    len: usize,
}

/// The addresses within.
pub struct Parts {
    /// Where the packet goes.
    pub packet: NonNull<u8>,
}

impl Memory {
    /// Maps memory for a packet.
    ///
    /// # Errors
    ///
    /// EINVAL for too small a stack or too large an alignment, ENOMEM.
    pub fn map(stack_size: usize, packet: Layout) -> Result<(Self, Parts), Errno> {
        if stack_size < MIN_STACK_SIZE || packet.align() > PAGE {
            return Err(Errno::EINVAL);
        }
        let start = sys::map(packet.size(), 0)?;
        Ok((Self { start, len: packet.size() }, Parts { packet: start }))
    }

    /// No addresses: the guard is std's.
    pub fn guard(&self) -> Range<usize> {
        0..0
    }

    /// std has a line about a stack that is used up, too.
    ///
    /// # Safety
    ///
    /// None is needed.
    pub unsafe fn watch(&self) {}

    /// Frees the memory.
    ///
    /// # Safety
    ///
    /// The thread has ended, was never started, or calls this itself, and its packet is no longer used.
    pub unsafe fn unmap(self) {
        // SAFETY: the caller guarantees that the memory is no longer used.
        unsafe { sys::unmap(self.start, self.len) };
    }
}
