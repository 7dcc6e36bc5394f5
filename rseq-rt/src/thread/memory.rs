//! The one mapping of a thread: guard pages, stack, packet, TLS block, alternate signal stack, from low addresses to
//! high ones.

use super::builder::MIN_STACK_SIZE;
use crate::backend::{CALLER_FRAME, CANARY, TLS};
use crate::{alternate_stack, page, sys, tls};
use core::alloc::Layout;
use core::ops::Range;
use core::ptr::NonNull;
use linux_raw_sys::general::{MAP_STACK, PROT_NONE};
use rseq_core::sys::Errno;

/// The least number of inaccessible bytes below a stack. More than a page where compiled code does not touch each page
/// of a large frame in turn (stack probes), so that such a frame does not reach beyond the guard.
const GUARD: usize = match () {
    () if cfg!(target_arch = "arm") => 256 << 10,
    () if cfg!(any(
        target_arch = "riscv64",
        target_arch = "riscv32",
        target_arch = "loongarch64",
        target_arch = "mips64",
        target_arch = "mips64r6"
    )) =>
    {
        1 << 20
    }
    () => 1,
};

/// The memory of a thread that does not run yet, or that has ended.
#[derive(Clone, Copy)]
pub struct Memory {
    start: NonNull<u8>,
    len: usize,
    /// Bytes of the guard, the lowest part.
    guard: usize,
    /// Bytes of the alternate signal stack, the highest part.
    alternate: usize,
}

/// The addresses within.
pub struct Parts {
    /// The address of the packet.
    pub packet: NonNull<u8>,
    /// The initial stack pointer, 16-aligned and with [`CALLER_FRAME`] bytes above it.
    pub stack: *mut usize,
    /// The thread pointer; the TLS block is in place.
    pub thread_pointer: usize,
}

impl Memory {
    /// Maps memory for a thread with `stack_size` bytes of stack and a packet.
    ///
    /// # Errors
    ///
    /// EINVAL for too small a stack or too large an alignment, ENOMEM for what does not fit the address space.
    pub fn map(stack_size: usize, packet: Layout) -> Result<(Self, Parts), Errno> {
        let page = page::size();
        if stack_size < MIN_STACK_SIZE || packet.align() > page {
            return Err(Errno::EINVAL);
        }
        let image = tls::image();
        let guard = GUARD.next_multiple_of(page);
        let stack_end = add(guard, stack_size)?;
        let packet_start = round_up(add(stack_end, CALLER_FRAME)?, packet.align().max(16))?;
        let tls_start = add(packet_start, packet.size())?;
        let alternate = alternate_stack::size();
        let len = round_up(add(add(tls_start, image.reserve())?, alternate)?, page)?;
        let start = sys::map(len, MAP_STACK)?;
        let memory = Self { start, len, guard, alternate };
        // SAFETY: the guard is the lowest part of the new mapping, which nothing uses yet.
        if let Err(errno) = unsafe { sys::protect(start, guard, PROT_NONE) } {
            // SAFETY: the mapping is new, and nothing uses it.
            unsafe { memory.unmap() };
            return Err(errno);
        }
        // SAFETY: the three parts are consecutive and end before `len`; `reserve` bytes are left for the TLS block.
        let parts = unsafe {
            let thread_pointer = image.place(start.add(tls_start).as_ptr(), TLS);
            CANARY.copy_to(thread_pointer);
            Parts {
                packet: start.add(packet_start),
                stack: start.add((packet_start - CALLER_FRAME) & !15).as_ptr().cast(),
                thread_pointer,
            }
        };
        Ok((memory, parts))
    }

    /// The addresses of the guard.
    pub fn guard(&self) -> Range<usize> {
        let start = self.start.addr().get();
        start..start + self.guard
    }

    /// Makes the thread that this memory belongs to report when its stack is used up.
    ///
    /// # Safety
    ///
    /// The calling thread is that one. The memory stays until it has ended, or [`unmap_and_exit`](Self::unmap_and_exit)
    /// frees it.
    pub unsafe fn watch(&self) {
        // SAFETY: the alternate stack is the highest part of the mapping, which is used for nothing else;
        // `unmap_and_exit` blocks all signals first.
        unsafe { alternate_stack::set(self.start.add(self.len - self.alternate), self.alternate) };
    }

    /// Frees the memory.
    ///
    /// # Safety
    ///
    /// The thread has ended, or was never started, and its packet is no longer used.
    pub unsafe fn unmap(self) {
        // SAFETY: the caller's contract: the mapping is no longer used.
        unsafe { sys::unmap(self.start, self.len) };
    }

    /// Frees the memory of the running thread, and ends the thread. The kernel must not write the thread's tid word any
    /// longer: see [`sys::forget_child_tid`].
    ///
    /// # Safety
    ///
    /// This is the thread's own memory, no other thread uses it, and the kernel will not clear a word in it.
    pub unsafe fn unmap_and_exit(self) -> ! {
        sys::block_signals();
        // SAFETY: signals are blocked, so no handler runs on this stack; the rest is the caller's contract.
        unsafe { crate::backend::unmap_and_exit(self.start, self.len) }
    }
}

fn add(left: usize, right: usize) -> Result<usize, Errno> {
    // No mapping is larger than isize::MAX; for smaller ones, the kernel decides.
    left.checked_add(right).filter(|&sum| sum <= isize::MAX as usize).ok_or(Errno::ENOMEM)
}

fn round_up(size: usize, align: usize) -> Result<usize, Errno> {
    Ok(add(size, align - 1)? & !(align - 1))
}
