//! What a region is made of.

use super::Finding;
use super::robust::POISON;
use crate::sys::Errno;
use core::ptr::{self, NonNull};

/// Options of a region: [`Region::with`](super::Region::with) and [`DynRegion::new`](super::DynRegion::new) take them.
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::{Region, RegionOptions};
///
/// static TABLES: Region = Region::with(RegionOptions::new().copy_on_write());
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "options do nothing before a region is made with them"]
pub struct RegionOptions {
    pub(super) populate: Populate,
    pub(super) binds: bool,
    report: Option<Report>,
    pub(super) given: Given,
    /// What freed items are filled with where errors are looked for, or where `fills` says so.
    pub(super) pattern: usize,
    pub(super) fills: bool,
    /// The most ranges, or 0.
    pub(super) max_ranges: usize,
    /// Whether children of `fork` have the ranges.
    pub(super) is_inherited: bool,
    /// What the program's functions are called with, and ranges name; 0 if there is none.
    pub(super) owner: usize,
    pub(super) init: Option<InitRange>,
}

/// Sets up a CPU's copies in a new range: the owner, where they begin, their length, and the CPU's number.
pub(super) type InitRange = fn(usize, NonNull<u8>, usize, usize) -> Result<(), Errno>;

/// Whom errors are handed to.
#[derive(Clone, Copy, Debug)]
enum Report {
    Plain(fn(Finding)),
    /// With the region's owner.
    Owned(fn(usize, Finding)),
}

/// Hands errors to whom the program has named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reporter {
    report: Report,
    owner: usize,
}

impl Reporter {
    pub(super) fn report(self, finding: Finding) {
        match self.report {
            Report::Plain(report) => report(finding),
            Report::Owned(report) => report(self.owner, finding),
        }
    }
}

/// What the copies are before they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Populate {
    Zero,
    CopyOnWrite,
    Shared,
}

/// Memory that the program gave; null where the region maps its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub(super) start: *mut u8,
    pub(super) len: usize,
}

// SAFETY: an address and a length; who reaches the memory at it is the region's to see to.
unsafe impl Send for Given {}
// SAFETY: as above.
unsafe impl Sync for Given {}

impl RegionOptions {
    /// Memory that the region maps itself, zero until it is written, with each page on the node of the CPU that first
    /// touches it.
    pub const fn new() -> Self {
        let given = Given { start: ptr::null_mut(), len: 0 };
        Self {
            populate: Populate::Zero,
            binds: false,
            report: None,
            given,
            pattern: POISON,
            fills: false,
            max_ranges: 0,
            is_inherited: true,
            owner: 0,
            init: None,
        }
    }

    /// Copies show the pages of one template until they are written, so that items with an initial value
    /// ([`Region::alloc_copied`](super::Region::alloc_copied)) cost the memory of one copy and of the pages that CPUs
    /// have written. Each CPU number takes a mapping, of which a process has 65,530 (`vm.max_map_count`).
    ///
    /// A child of `fork` leaves its parent's template alone: items that it allocates in its parent's ranges take the
    /// memory of all copies. Of an item that it has from its parent, pages that it has not written show what the parent
    /// later allocates in the same place, once the parent has freed the item (before Linux 4.14, and the child's items
    /// show in the parent, too).
    ///
    /// Each range takes 64 KiB of addresses more. It takes the place of [`shared`](Self::shared) and of
    /// [`memory`](Self::memory).
    pub const fn copy_on_write(mut self) -> Self {
        self.populate = Populate::CopyOnWrite;
        self.given = Given { start: ptr::null_mut(), len: 0 };
        self
    }

    /// Copies are shared with the children that this process forks after an item was allocated.
    ///
    /// # Safety
    ///
    /// * After a fork, one of the processes at most allocates and frees items of the region: each has its own account
    ///   of what is free.
    /// * Sections that change an item go by CPU, in all processes: two of them have the same concurrency ID at the same
    ///   time.
    pub const unsafe fn shared(mut self) -> Self {
        self.populate = Populate::Shared;
        self.given = Given { start: ptr::null_mut(), len: 0 };
        self
    }

    /// Ranges are cut from `len` bytes from `start` on, of any contents, instead of being mapped. Each takes
    /// [`Region::range_size`](super::Region::range_size) bytes, or
    /// [`RegionShape::range_size`](super::RegionShape::range_size) of a [`DynRegion`](super::DynRegion); the first one
    /// begins at a multiple of the stride.
    ///
    /// The memory may be mapped shared (`MAP_SHARED`): children of `fork` then use the items that were allocated
    /// before.
    ///
    /// # Safety
    ///
    /// * The memory is valid for reads and writes until the region is dropped and its items are used no more, and
    ///   nothing else reads or writes it, but for items that other processes use.
    /// * Of memory that is mapped shared, the contract of [`shared`](Self::shared) holds: one of the processes
    ///   allocates and frees, and sections go by CPU.
    ///
    /// # Examples
    ///
    /// Memory that is not shared:
    ///
    /// ```
    /// use core::ptr::NonNull;
    /// use rseq_core::percpu::{Region, RegionOptions};
    /// use std::alloc::{Layout, alloc, dealloc};
    ///
    /// const STRIDE: usize = 4096;
    ///
    /// let memory = Layout::from_size_align(Region::<STRIDE>::range_size(), STRIDE)?;
    /// // SAFETY: the size is not 0.
    /// let start = NonNull::new(unsafe { alloc(memory) }).ok_or("no memory")?;
    /// {
    ///     // SAFETY: the memory is the region's until it is freed below, after the region is dropped.
    ///     let options = unsafe { RegionOptions::new().memory(start, memory.size()) };
    ///     let region: Region<STRIDE> = Region::with(options);
    ///     let item = region.alloc_zeroed(Layout::new::<u64>())?;
    ///     assert!(item >= start);
    /// }
    /// // SAFETY: it was allocated with this layout.
    /// unsafe { dealloc(start.as_ptr(), memory) };
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const unsafe fn memory(mut self, start: NonNull<u8>, len: usize) -> Self {
        self.populate = Populate::Zero;
        self.given = Given { start: start.as_ptr(), len };
        self
    }

    /// Takes the memory of each CPU's copies from the CPU's NUMA node, whoever touches it first. Of CPUs that are
    /// offline when a range is mapped, the node is that of the first touch.
    pub const fn bind(mut self) -> Self {
        self.binds = true;
        self
    }

    /// Looks for errors in how items are used, and hands each one to `report`: in the thread that frees or allocates
    /// the item, or drops the region, without a lock. The operation that comes upon an error has no other effect, so
    /// `report` may go on or abort.
    ///
    /// Every operation takes the lock, and freed items are filled with a pattern in each copy. This is for tests.
    pub const fn robust(mut self, report: fn(Finding)) -> Self {
        self.report = Some(Report::Plain(report));
        self
    }

    /// [`robust`](Self::robust), with the word of [`owner`](Self::owner) for `report`.
    pub const fn robust_for_owner(mut self, report: fn(usize, Finding)) -> Self {
        self.report = Some(Report::Owned(report));
        self
    }

    /// Whom errors are handed to; None if none are looked for.
    pub(super) fn reporter(&self) -> Option<Reporter> {
        self.report.map(|report| Reporter { report, owner: self.owner })
    }

    /// The pattern that [`robust`](Self::robust) fills freed items with, word by word; `0xa5` in each byte if none is
    /// given. A [`DynRegion`](super::DynRegion) fills freed items with it where it is not robust, too. Copies that
    /// hold the pattern already are not written.
    pub const fn poison(mut self, pattern: usize) -> Self {
        (self.pattern, self.fills) = (pattern, true);
        self
    }

    /// Maps `count` ranges at most; with 0, as many as there is memory for. Without room,
    /// [`RegionError::NoMemory`](super::RegionError::NoMemory) has ENOSPC.
    pub const fn max_ranges(mut self, count: usize) -> Self {
        self.max_ranges = count;
        self
    }

    /// Children of `fork` do not have the ranges: to touch an item there is an invalid access. A child may drop its
    /// copy of the region (Linux 4.14).
    pub const fn not_inherited(mut self) -> Self {
        self.is_inherited = false;
        self
    }

    /// A word that names the region, such as the address of what it is a part of: functions of the program are called
    /// with it, and [`DynRegion::owner_of`](super::DynRegion::owner_of) finds it by an item. 0 is none. Each range
    /// takes 64 KiB of addresses more.
    pub const fn owner(mut self, owner: usize) -> Self {
        self.owner = owner;
        self
    }

    /// Has `init` called for each CPU number's copies in a new range: with the [owner](Self::owner), the address
    /// where these copies begin, their length, which is the stride, and the CPU number. If it fails, the range is
    /// unmapped again, and the error is [`RegionError::NotInitialized`](super::RegionError::NotInitialized).
    ///
    /// It is called with the region's lock held and signals blocked, and must not use the region.
    pub const fn init_ranges(mut self, init: fn(usize, NonNull<u8>, usize, usize) -> Result<(), Errno>) -> Self {
        self.init = Some(init);
        self
    }
}

impl Default for RegionOptions {
    fn default() -> Self {
        Self::new()
    }
}
