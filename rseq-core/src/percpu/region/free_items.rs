//! Ranges, and free items by size: what all CPUs share, under the region's lock.
//!
//! A child of `fork` may see any prefix of the changes made here: each change is a store that leaves a valid state, in
//! which an item is on at most one list.

use super::cpu_stacks::{Stack, Stacks};
use super::error::RegionError;
use super::geometry::{FREE, Geometry, TAGS};
use super::item_size::{CLASSES, MOST_CUT};
use super::options::RegionOptions;
use super::range;
use crate::percpu::fence::fence;
use crate::sys::Errno;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::Release};

/// An item is its address in the copy for CPU 0, tagged if it is fresh.
#[derive(Debug)]
pub(super) struct Lists {
    /// The newest range, or 0.
    range: AtomicUsize,
    /// Bytes used of the newest range's copies.
    used: AtomicUsize,
    /// Bytes used of the program's memory.
    given: AtomicUsize,
    /// The first free item of each class, or 0. Its word in the shadow has the address of the next one, with that one's
    /// tags.
    free: [AtomicUsize; CLASSES],
    /// The stack that is temporarily closed: its CPU and class, or 0.
    closed: AtomicUsize,
}

impl Lists {
    pub(super) const fn new() -> Self {
        Self {
            range: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            given: AtomicUsize::new(0),
            free: [const { AtomicUsize::new(0) }; CLASSES],
            closed: AtomicUsize::new(0),
        }
    }

    /// The addresses of the region's ranges, the newest one first.
    pub(super) fn ranges(&self, geometry: Geometry) -> impl Iterator<Item = usize> {
        let address = |range: usize| (range != 0).then_some(range);
        core::iter::successors(address(self.range.load(Relaxed)), move |&range| {
            // SAFETY: the address is that of a range of this geometry, which is mapped until the region is dropped.
            address(unsafe { geometry.before(range) }.load(Relaxed))
        })
    }

    /// The head of the list of free items of a class. The remainder shows the compiler that a class is in range.
    fn list(&self, class: usize) -> &AtomicUsize {
        &self.free[class % CLASSES]
    }

    /// Takes a free item of `class`, or one cut from the newest range.
    pub(super) fn take(&self, class: usize, geometry: Geometry) -> Option<usize> {
        self.pop(class, geometry).or_else(|| self.cut(class, geometry))
    }

    /// Takes up to `count` items of `class`, few of them from the newest range.
    pub(super) fn take_some(&self, count: usize, class: usize, geometry: Geometry, mut give: impl FnMut(usize)) {
        let freed = (0..count).map_while(|_| self.pop(class, geometry)).map(&mut give).count();
        let cut = (count - freed).min(MOST_CUT);
        (0..cut).map_while(|_| self.cut(class, geometry)).for_each(give);
    }

    fn pop(&self, class: usize, geometry: Geometry) -> Option<usize> {
        let item = self.list(class).load(Relaxed);
        if item == 0 {
            return None;
        }
        // SAFETY: items on lists lie in ranges, which exist as long as the region.
        let word = unsafe { geometry.word(item) }.load(Relaxed);
        self.list(class).store(word & !TAGS, Release);
        Some(item | (word & TAGS & !FREE))
    }

    /// Puts an item on its list.
    pub(super) fn put(&self, item: usize, class: usize, geometry: Geometry) {
        let (item, tags) = (item & !TAGS, item & TAGS);
        // SAFETY: the item lies in a range, which exists as long as the region.
        let word = unsafe { geometry.word(item) };
        word.store(self.list(class).load(Relaxed) | FREE | tags, Relaxed);
        self.list(class).store(item, Release);
    }

    /// The first item of a list, or 0.
    pub(super) fn first(&self, class: usize) -> usize {
        self.list(class).load(Relaxed)
    }

    /// Drops a list, whose items are not used again.
    pub(super) fn forget(&self, class: usize) {
        self.list(class).store(0, Release);
    }

    fn cut(&self, class: usize, geometry: Geometry) -> Option<usize> {
        let (range, used) = (self.range.load(Relaxed), self.used.load(Relaxed));
        let start = used.next_multiple_of(1 << class);
        if range == 0 || start + (1 << class) > geometry.stride {
            return None;
        }
        self.used.store(start + (1 << class), Release);
        self.spill(range, used, start, geometry);
        Some((range + start) | geometry.fresh())
    }

    /// Cuts a part of a range into items, as large as possible.
    fn spill(&self, range: usize, mut start: usize, end: usize, geometry: Geometry) {
        while start < end {
            let class = start.trailing_zeros().min((end - start).ilog2()) as usize;
            self.put((range + start) | geometry.fresh(), class, geometry);
            start += 1 << class;
        }
    }

    /// Adds a range.
    pub(super) fn grow(&self, options: &RegionOptions, geometry: Geometry) -> Result<(), RegionError> {
        if !geometry.can_be() {
            return Err(RegionError::NoMemory(Errno::ENOMEM));
        }
        let most = options.max_ranges;
        if most != 0 && self.ranges(geometry).take(most).count() == most {
            return Err(RegionError::NoMemory(Errno::ENOSPC));
        }
        let new = if options.given.start.is_null() {
            range::make(options, geometry)?
        } else {
            range::cut(options, &self.given, geometry)?
        };
        let (range, used) = (self.range.load(Relaxed), self.used.load(Relaxed));
        // SAFETY: `new` is a range of this geometry, made just now.
        unsafe { geometry.before(new) }.store(range, Relaxed);
        // Its end counts as used at first, so that a child of `fork` takes nothing from a range that it may see too
        // early.
        self.used.store(geometry.stride, Release);
        if range != 0 {
            self.spill(range, used, geometry.stride, geometry);
        }
        self.range.store(new, Release);
        self.used.store(0, Release);
        Ok(())
    }

    /// Takes the items of other CPUs' stacks of `class`, and returns whether there were any.
    pub(super) fn drain(&self, stacks: Stacks, class: usize, geometry: Geometry) -> bool {
        let mut found = false;
        for cpu in 0..stacks.len() {
            // SAFETY: every CPU below `len` has a stack.
            let stack = unsafe { stacks.of(cpu) };
            if !stack.is_empty() {
                found |= self.drain_one(stack, cpu, class, geometry);
            }
        }
        found
    }

    fn drain_one(&self, stack: Stack, cpu: usize, class: usize, geometry: Geometry) -> bool {
        self.begin_drain(stack, cpu, class);
        let mut found = false;
        // After it, no section is running that has found the stack open.
        let is_ours = fence(cpu as u32).is_ok();
        while let Some(item) = is_ours.then(|| stack.take()).flatten() {
            self.put(item, class, geometry);
            found = true;
        }
        self.open(stack, cpu, !found);
        found
    }

    pub(super) fn begin_drain(&self, stack: Stack, cpu: usize, class: usize) {
        self.closed.store(cpu * CLASSES + class + 1, Release);
        stack.close();
    }

    /// Opens a stack that was closed. If its CPU may not see what was taken from it, the stack stays closed for good.
    pub(super) fn open(&self, stack: Stack, cpu: usize, is_unchanged: bool) {
        if is_unchanged || fence(cpu as u32).is_ok() {
            stack.open();
        }
        self.closed.store(0, Release);
    }

    /// Opens the stack that a thread of this process's parent had closed at the time of the fork.
    pub(super) fn reopen(&self, stacks: impl FnOnce(usize) -> Option<Stacks>) {
        let Some(closed) = self.closed.load(Relaxed).checked_sub(1) else { return };
        let (cpu, class) = (closed / CLASSES, closed % CLASSES);
        if let Some(stacks) = stacks(class) {
            // SAFETY: only CPUs that have a stack are recorded as closed.
            self.open(unsafe { stacks.of(cpu) }, cpu, false);
        }
    }
}

#[cfg(all(test, not(miri), not(rseq_stub)))]
mod tests {
    use super::*;
    use core::ptr::NonNull;

    #[test]
    fn no_range_is_made_whose_copies_take_too_many_addresses() {
        let mut bytes = [0u64; 64];
        let start = NonNull::from(&mut bytes).cast();
        // SAFETY: the memory is that of `bytes`, which nothing else uses.
        let given = unsafe { RegionOptions::new().memory(start, size_of_val(&bytes)) };
        // As 64 MiB for each CPU where a word has 32 bits: copies for 64 CPUs wrap to 0 bytes, those for 65 to 64 MiB.
        let stride = 1 << (usize::BITS - 6);
        for options in [RegionOptions::new(), RegionOptions::new().copy_on_write(), given] {
            for slots in [16, 64, 65, 256, 8192] {
                let lists = Lists::new();
                let grown = lists.grow(&options, Geometry::new(&options, stride, slots));
                assert_eq!(grown, Err(RegionError::NoMemory(Errno::ENOMEM)), "{slots} copies, {options:?}");
                assert_eq!(lists.range.load(Relaxed), 0);
            }
        }
    }
}
