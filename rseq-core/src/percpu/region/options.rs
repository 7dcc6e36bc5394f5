//! The options of a region.

use super::finding::Finding;
use crate::sys::Errno;
use core::ptr::{self, NonNull};

/// The default pattern of freed items, and of the bytes between an item's end and the size of its class.
const POISON: usize = usize::from_ne_bytes([0xa5; size_of::<usize>()]);

/// The options of a region, for [`Region::with`](super::Region::with) and [`DynRegion::new`](super::DynRegion::new).
///
/// # Examples
///
/// ```
/// use rseq_core::percpu::{Region, RegionOptions};
///
/// static TABLES: Region = Region::with(RegionOptions::new().copy_on_write());
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "options do nothing until a region is created with them"]
pub struct RegionOptions {
    pub(super) populate: Populate,
    pub(super) binds: bool,
    report: Option<Report>,
    pub(super) given: Given,
    /// The word that freed items are filled with, if the region is robust or `fills` is set.
    pub(super) pattern: usize,
    pub(super) fills: bool,
    /// The maximum number of ranges, or 0.
    pub(super) max_ranges: usize,
    /// Whether children of `fork` have the memory of the ranges.
    pub(super) is_inherited: bool,
    /// The argument of the program's functions, which the header of each range has too; 0 if there is none.
    pub(super) owner: usize,
    pub(super) init: Option<InitRange>,
}

/// Initialises a CPU's copies in a new range. The arguments are the owner, the copies' address and length, and the CPU
/// number.
pub(super) type InitRange = fn(usize, NonNull<u8>, usize, usize) -> Result<(), Errno>;

/// The program's function that is called with errors.
#[derive(Clone, Copy, Debug)]
enum Report {
    Plain(fn(Finding)),
    /// With the region's owner.
    Owned(fn(usize, Finding)),
}

/// Reports errors to the program.
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

/// The memory of copies that have not been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Populate {
    Zero,
    CopyOnWrite,
    Shared,
}

/// Memory that the program provides; null if the region maps its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub(super) start: *mut u8,
    pub(super) len: usize,
}

// SAFETY: a `Given` is an address and a length, and does not access the memory. The region does so under its lock.
unsafe impl Send for Given {}
// SAFETY: as for `Send`; a shared reference only gives copies of the two values.
unsafe impl Sync for Given {}

impl RegionOptions {
    /// The default options. The region maps memory, which is zero until it is written. Each page is on the node of the
    /// CPU that touches it first.
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

    /// Makes copies share the pages of one template until they are written, so that items with an initial value
    /// ([`Region::alloc_copied`](super::Region::alloc_copied)) take the memory of one copy, and of the pages that CPUs
    /// have written. Each CPU number takes a mapping; a process may have 65,530 by default (`vm.max_map_count`).
    ///
    /// A child of `fork` does not write to its parent's template: items that it allocates in its parent's ranges take
    /// the memory of all copies. If the parent frees an item and allocates another one at its address, the child sees
    /// the new contents in those pages of the freed item that the child has not written. Before Linux 4.14, the parent
    /// sees the contents of the child's items in the same way.
    ///
    /// Each range takes another 64 KiB of address space. This overrides [`shared`](Self::shared) and
    /// [`memory`](Self::memory).
    pub const fn copy_on_write(mut self) -> Self {
        self.populate = Populate::CopyOnWrite;
        self.given = Given { start: ptr::null_mut(), len: 0 };
        self
    }

    /// Shares items with the children that this process forks after it has allocated them. This overrides
    /// [`copy_on_write`](Self::copy_on_write) and [`memory`](Self::memory).
    ///
    /// # Safety
    ///
    /// * After a fork, only one of the processes allocates and frees items of the region, because each process has its
    ///   own list of free items.
    /// * Sections that change an item are indexed by CPU number, in all processes: threads of different processes can
    ///   have the same concurrency ID at the same time.
    pub const unsafe fn shared(mut self) -> Self {
        self.populate = Populate::Shared;
        self.given = Given { start: ptr::null_mut(), len: 0 };
        self
    }

    /// Takes ranges from the `len` bytes at `start`, instead of mapping them. Their contents do not matter. Each range
    /// takes [`Region::range_size`](super::Region::range_size) bytes, or
    /// [`RegionShape::range_size`](super::RegionShape::range_size) of a [`DynRegion`](super::DynRegion); the first one
    /// begins at a multiple of the stride.
    ///
    /// The memory may be mapped shared (`MAP_SHARED`): children of `fork` then share the items that were allocated
    /// before the fork. This overrides [`copy_on_write`](Self::copy_on_write) and [`shared`](Self::shared).
    ///
    /// # Safety
    ///
    /// * The memory is valid for reads and writes until the region is dropped and its items are no longer used.
    ///   Nothing else accesses it, except that other processes may use items.
    /// * If the memory is mapped shared, the contract of [`shared`](Self::shared) holds: only one of the processes
    ///   allocates and frees, and sections are indexed by CPU number.
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
    ///     // SAFETY: the memory was allocated above and is not used elsewhere. It is not shared with other processes,
    ///     // and is freed after the region is dropped.
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

    /// Allocates the memory of each CPU's copies on the CPU's NUMA node, even if another CPU touches it first. The
    /// memory of a CPU that is offline when the range is mapped is on the node of the CPU that touches it first.
    pub const fn bind(mut self) -> Self {
        self.binds = true;
        self
    }

    /// Checks how items are used, and calls `report` with each error. It is called in the thread that frees or
    /// allocates the item, or that drops the region, without a lock held. An operation that finds an error has no other
    /// effect, so `report` may return or abort.
    ///
    /// Every operation takes the region's lock, and fills each copy of a freed item with a pattern. This is for tests.
    pub const fn robust(mut self, report: fn(Finding)) -> Self {
        self.report = Some(Report::Plain(report));
        self
    }

    /// As [`robust`](Self::robust); the first argument of `report` is the [`owner`](Self::owner).
    pub const fn robust_for_owner(mut self, report: fn(usize, Finding)) -> Self {
        self.report = Some(Report::Owned(report));
        self
    }

    /// The reporter of errors; None if the region is not robust.
    pub(super) fn reporter(&self) -> Option<Reporter> {
        self.report.map(|report| Reporter { report, owner: self.owner })
    }

    /// Sets the pattern that [`robust`](Self::robust) regions fill each word of freed items with. The default is `0xa5`
    /// in each byte. A [`DynRegion`](super::DynRegion) with a pattern fills freed items even if it is not robust.
    /// Copies that have these contents already are not written.
    pub const fn poison(mut self, pattern: usize) -> Self {
        (self.pattern, self.fills) = (pattern, true);
        self
    }

    /// Limits the number of ranges; 0, the default, is no limit. When all ranges are full, allocation fails with
    /// [`RegionError::NoMemory`](super::RegionError::NoMemory) and ENOSPC.
    pub const fn max_ranges(mut self, count: usize) -> Self {
        self.max_ranges = count;
        self
    }

    /// Keeps the memory of ranges from children of `fork`, where an access to an item is a segmentation fault. A child
    /// may drop its copy of the region (Linux 4.14). This has no effect on [`memory`](Self::memory) of the program.
    pub const fn not_inherited(mut self) -> Self {
        self.is_inherited = false;
        self
    }

    /// Sets a word that identifies the region, such as the address of the object that contains it. It is an argument of
    /// the program's functions, and [`DynRegion::owner_of`](super::DynRegion::owner_of) finds it for an item. 0, the
    /// default, is no owner. With an owner, each range takes another 64 KiB of address space.
    pub const fn owner(mut self, owner: usize) -> Self {
        self.owner = owner;
        self
    }

    /// Sets the function that initialises new ranges. It is called for each CPU number, with the [owner](Self::owner),
    /// the address of the CPU's copies, their length, which is the stride, and the CPU number. If it fails, the range
    /// is unmapped, and allocation fails with [`RegionError::NotInitialized`](super::RegionError::NotInitialized).
    ///
    /// It is called with the region's lock held and signals blocked, and must not use the region. If it panics, the
    /// range is unmapped, the region is as it was, and the panic goes on in the thread that allocates.
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
