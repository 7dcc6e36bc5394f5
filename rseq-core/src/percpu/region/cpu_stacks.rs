//! Stacks of free items: one for each size on each CPU.

use crate::ops::this_cpu::Error;
use crate::{Ambient, Committed, CompareFailed, OutOfRange, Token, sys};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of one CPU's stacks.
pub(super) const CPU_BYTES: usize = 1 << 14;

/// Bytes of a stack: whether it is closed, the number of its items, and up to 126 items, 8 bytes each.
const STACK_BYTES: usize = 1024;

/// Where the number of items is in a stack. The items follow.
const COUNT: usize = 8;

/// The class of the largest items that have stacks.
const LARGEST: usize = CPU_BYTES / STACK_BYTES - 1;

/// Why an item is not on a stack of this thread's CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoStack;

/// States the sections of [`Region`](crate::percpu::Region): as they are, or changed for a test by an attribute of
/// [`critical_section!`](crate::critical_section).
#[doc(hidden)]
#[macro_export]
macro_rules! __region_sections {
    ($(#![$variant:ident])?) => {
        $crate::critical_section! {
            $(#![$variant])?
            /// Pops the top item of the stack of this thread's CPU. A failed comparison is a stack that is empty or
            /// closed.
            ///
            /// # Errors
            ///
            /// [`Error`]($crate::ops::this_cpu::Error).
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` stacks that lie `STRIDE` bytes apart.
            pub unsafe fn pop_item(base: *mut usize, len: usize) -> Result<usize, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(i, n, item) abort(restart) stride(STRIDE) output(popped);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                add(i, base);
                cbne([i], 0) else CompareFailed;
                add(i, 8);
                load(n, [i]);
                cbz(n) else CompareFailed;
                load(item, [i + n * 8]);
                repeatable store([popped], item);
                sub(n, 1);
                commit store([i], n);
            }

            /// Pushes an item on the stack of this thread's CPU. A failed comparison is a stack that is closed, or has
            /// `most` items.
            ///
            /// # Errors
            ///
            /// [`Error`]($crate::ops::this_cpu::Error).
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` stacks that lie `STRIDE` bytes apart. `most` is at most 126.
            pub unsafe fn push_item(
                base: *mut usize, len: usize, most: usize, item: usize
            ) -> Result<Committed, $crate::ops::this_cpu::Error> {
                exits(OutOfRange, CompareFailed) scratch(i, n) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                add(i, base);
                cbne([i], 0) else CompareFailed;
                add(i, 8);
                load(n, [i]);
                bound(n, most) else CompareFailed;
                add(n, 1);
                repeatable store([i + n * 8], item);
                commit store([i], n);
            }
        }
    };
}

__region_sections!();

/// The stacks of one size, of each CPU below `len`, or of every CPU number that the kernel assigns.
#[derive(Clone, Copy)]
pub(super) struct Stacks {
    /// The stack of CPU 0.
    base: *mut usize,
    len: usize,
}

impl Stacks {
    /// The stacks of `class` in the memory of all stacks; None if there are none of this size.
    ///
    /// # Safety
    ///
    /// At `memory` there are CPU_BYTES for each CPU number below `len` that the kernel assigns, zeroes at first, which
    /// only stacks use.
    #[inline]
    pub(super) unsafe fn new(memory: *mut u8, len: usize, class: usize) -> Option<Self> {
        if memory.is_null() || class > LARGEST {
            return None;
        }
        // SAFETY: the offset is below CPU_BYTES, so it is within the memory of CPU 0.
        Some(Self { base: unsafe { memory.byte_add(class * STACK_BYTES) }.cast(), len })
    }

    /// Pops the top item of this thread's CPU.
    #[inline]
    pub(super) fn pop(self) -> Option<usize> {
        // SAFETY: `base` is the first of `len` stacks CPU_BYTES apart, as `new` requires.
        unsafe { pop_item::<CPU_BYTES, _, _>(token(), self.base, self.len) }.ok()
    }

    /// Pushes an item on the stack of this thread's CPU, if there is room.
    #[inline]
    pub(super) fn push(self, item: usize, most: usize) -> Result<(), NoStack> {
        // SAFETY: as in `pop`, and callers take `most` from a `Size`.
        match unsafe { push_item::<CPU_BYTES, _, _>(token(), self.base, self.len, most, item) } {
            Ok(Committed) => Ok(()),
            Err(Error::OutOfRange | Error::CompareFailed) => Err(NoStack),
        }
    }

    /// How many CPUs have a stack.
    pub(super) fn len(self) -> usize {
        self.len
    }

    /// The stack of one CPU.
    ///
    /// # Safety
    ///
    /// The CPU is below [`len`](Self::len).
    pub(super) unsafe fn of(self, cpu: usize) -> Stack {
        // SAFETY: stacks lie CPU_BYTES apart, and by the caller's contract this CPU has one.
        Stack(unsafe { self.base.byte_add(cpu * CPU_BYTES) })
    }
}

#[inline]
fn token() -> Token<'static, Ambient> {
    Ambient::token()
}

/// One CPU's stack, for the thread that has closed it.
#[derive(Clone, Copy)]
pub(super) struct Stack(*mut usize);

impl Stack {
    fn word(&self, offset: usize) -> &AtomicUsize {
        // SAFETY: an aligned word of a stack, which is mapped as long as its region lives.
        unsafe { &*self.0.byte_add(offset).cast::<AtomicUsize>() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.word(COUNT).load(Ordering::Relaxed) == 0
    }

    #[cfg(test)]
    pub(super) fn is_closed(&self) -> bool {
        self.word(0).load(Ordering::Relaxed) != 0
    }

    pub(super) fn close(&self) {
        self.word(0).store(1, Ordering::Release);
    }

    pub(super) fn open(&self) {
        self.word(0).store(0, Ordering::Release);
    }

    /// The top item of a stack that is closed and that no section is using.
    pub(super) fn take(&self) -> Option<usize> {
        let count = self.word(COUNT).load(Ordering::Relaxed);
        let item = (count > 0).then(|| self.word(COUNT + count * 8).load(Ordering::Relaxed))?;
        // A child that is forked from here on finds the item on no list, rather than on two.
        self.word(COUNT).store(count - 1, Ordering::Release);
        Some(item)
    }
}

/// Memory for the stacks of `cpus` CPUs.
pub(super) fn map(cpus: usize) -> Result<*mut u8, sys::Errno> {
    let memory = sys::mappings::map(cpus * CPU_BYTES)?;
    sys::mappings::without_huge_pages(memory, cpus * CPU_BYTES);
    Ok(memory.as_ptr())
}

/// Unmaps it.
///
/// # Safety
///
/// [`map`] returned it for as many CPUs, and it is no longer used.
pub(super) unsafe fn unmap(memory: *mut u8, cpus: usize) {
    if let Some(memory) = core::ptr::NonNull::new(memory) {
        // SAFETY: by the caller's contract it was mapped with this size, and is no longer used.
        let _ = unsafe { sys::mappings::unmap(memory, cpus * CPU_BYTES) };
    }
}
