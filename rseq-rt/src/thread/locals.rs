//! The values of one thread's thread-locals.

use crate::sys;
use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};
use rseq_core::sys::Errno;

/// Bytes of the mappings that values are placed in; a larger value has its own.
const REGION: usize = 16 << 10;

/// Keys that the first table holds.
const FIRST_TABLE: usize = 32;

/// What precedes each value.
pub struct Header {
    /// The value that was initialized before this one.
    next: *mut Header,
    /// Drops the value; `None` once it has been called.
    pub drop_value: Option<unsafe fn(NonNull<Header>)>,
}

impl Header {
    /// The header of a value that is alive.
    pub fn new(drop_value: unsafe fn(NonNull<Header>)) -> Self {
        Self { next: ptr::null_mut(), drop_value: Some(drop_value) }
    }
}

/// The head of a mapping.
struct Region {
    next: *mut Region,
    len: usize,
}

/// All values of a thread, in mappings that are freed with it.
pub struct Locals {
    /// For each key its value, or null.
    table: Cell<*mut *mut Header>,
    /// Keys that the table holds.
    capacity: Cell<usize>,
    /// The value that was initialized last.
    last: Cell<*mut Header>,
    regions: Cell<*mut Region>,
    /// The free bytes of the first region.
    free: Cell<(usize, usize)>,
    /// Whether no more values can be initialized.
    is_over: Cell<bool>,
}

impl Locals {
    pub const fn new() -> Self {
        Self {
            table: Cell::new(ptr::null_mut()),
            capacity: Cell::new(0),
            last: Cell::new(ptr::null_mut()),
            regions: Cell::new(ptr::null_mut()),
            free: Cell::new((0, 0)),
            is_over: Cell::new(false),
        }
    }

    pub fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// The value of the key with this index.
    #[inline]
    pub fn find(&self, index: usize) -> Option<NonNull<Header>> {
        if index >= self.capacity.get() {
            return None;
        }
        // SAFETY: `index` is below `capacity`, the number of the table's entries, each null or the address of a header.
        NonNull::new(unsafe { *self.table.get().add(index) })
    }

    /// Adds a value that was written to memory from [`allocate`](Self::allocate).
    ///
    /// # Errors
    ///
    /// ENOMEM without memory for the table; the value was not added.
    ///
    /// # Safety
    ///
    /// The header begins a block of this thread's that stays; its function drops the value. The key has no value.
    pub unsafe fn add(&self, index: usize, header: NonNull<Header>) -> Result<(), Errno> {
        self.reserve(index)?;
        // SAFETY: by the caller's contract the header is this thread's and stays; the table has been made large enough.
        unsafe {
            (*header.as_ptr()).next = self.last.get();
            self.table.get().add(index).write(header.as_ptr());
        }
        self.last.set(header.as_ptr());
        Ok(())
    }

    /// Makes the table larger than `index`.
    fn reserve(&self, index: usize) -> Result<(), Errno> {
        let old = self.capacity.get();
        if index < old {
            return Ok(());
        }
        let new = (index + 1).next_power_of_two().max(FIRST_TABLE);
        let layout = Layout::array::<*mut Header>(new).map_err(|_| Errno::ENOMEM)?;
        let table = self.allocate(layout)?.cast::<*mut Header>().as_ptr();
        // SAFETY: the new table has `new` entries of zero, which is null. It is larger than the old one, which stays
        // allocated until the thread ends.
        unsafe {
            if old > 0 {
                ptr::copy_nonoverlapping(self.table.get(), table, old);
            }
        }
        self.table.set(table);
        self.capacity.set(new);
        Ok(())
    }

    /// Zeroed memory that stays until the thread ends.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, Errno> {
        if let Some(block) = self.take(layout) {
            return Ok(block);
        }
        // The most that a block can need: its own bytes, and as many as its alignment to begin at a multiple of it.
        let needed = size_of::<Region>().checked_add(layout.size()).and_then(|len| len.checked_add(layout.align()));
        let len = needed.map(|needed| needed.max(REGION)).filter(|len| *len <= isize::MAX as usize);
        let len = len.ok_or(Errno::ENOMEM)?;
        let start = sys::map(len, 0)?;
        let region = start.cast::<Region>().as_ptr();
        // SAFETY: the mapping is fresh, page-aligned, and larger than a `Region`.
        unsafe { region.write(Region { next: self.regions.get(), len }) };
        self.regions.set(region);
        self.free.set((region as usize + size_of::<Region>(), region as usize + len));
        self.take(layout).ok_or(Errno::ENOMEM)
    }

    /// A block of the first region, if there is room.
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        let (start, end) = self.free.get();
        let block = start.checked_next_multiple_of(layout.align())?;
        let block_end = block.checked_add(layout.size()).filter(|block_end| *block_end <= end)?;
        self.free.set((block_end, end));
        NonNull::new(block as *mut u8)
    }

    /// Drops all values, last in, first out, including those that are initialized meanwhile. After that no value can be
    /// initialized.
    pub fn destroy(&self) {
        while let Some(header) = NonNull::new(self.last.get()) {
            // SAFETY: the header is in the list, so this thread added it and has not dropped its value.
            unsafe {
                self.last.set((*header.as_ptr()).next);
                if let Some(drop_value) = (*header.as_ptr()).drop_value.take() {
                    drop_value(header);
                }
            }
        }
        self.is_over.set(true);
        self.capacity.set(0);
        while let Some(region) = NonNull::new(self.regions.get()) {
            // SAFETY: the mapping is this thread's, and no value in it is alive.
            unsafe {
                let Region { next, len } = region.read();
                self.regions.set(next);
                sys::unmap(region.cast(), len);
            }
        }
        self.free.set((0, 0));
    }
}
