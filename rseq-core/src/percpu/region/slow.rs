//! What a region does under its lock, and for threads without stacks.

use super::class::{MOST_AT_A_TIME, at_a_time, class};
use super::geometry::{FRESH, Geometry, TAGS};
use super::lists::Lists;
use super::robust::{self, Finding};
use super::stacks::{self, Stacks};
use super::{Region, RegionError, range};
use crate::ambient::ensure_registered;
use crate::percpu::memory;
use core::alloc::Layout;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;

/// Items on their way between a stack and the lists.
struct Batch {
    items: [usize; MOST_AT_A_TIME + 1],
    len: usize,
}

impl Batch {
    const EMPTY: Self = Self { items: [0; MOST_AT_A_TIME + 1], len: 0 };

    fn push(&mut self, item: usize) {
        if let Some(place) = self.items.get_mut(self.len) {
            (*place, self.len) = (item, self.len + 1);
        }
    }

    fn items(&self) -> &[usize] {
        &self.items[..self.len]
    }
}

impl<const STRIDE: usize> Region<STRIDE> {
    pub(super) fn geometry(&self) -> Geometry {
        Geometry::new(&self.options, STRIDE, memory::slot_count())
    }

    /// An item for a thread whose CPU has none, tagged.
    #[cold]
    #[inline(never)]
    pub(super) fn refill(&self, layout: Layout, class: usize) -> Result<usize, RegionError> {
        if let Some(report) = self.options.report {
            return self.take_checked(layout, class, report);
        }
        let stacks = self.stacks_of_thread(class);
        // In a thread that registers here, or that has come to a CPU with items meanwhile.
        if let Some(item) = stacks.and_then(Stacks::pop) {
            return Ok(item);
        }
        let batch = self.take_shared(class, if stacks.is_some() { at_a_time(class, STRIDE) } else { 1 })?;
        let [first, others @ ..] = batch.items() else { return Err(RegionError::TooLarge) };
        let most = stacks::most(class, STRIDE);
        let rest = others.iter().position(|&item| stacks.is_none_or(|stacks| stacks.push(item, most).is_err()));
        if let Some(rest) = rest {
            self.put_shared(&others[rest..], class);
        }
        Ok(*first)
    }

    /// Takes up to `count` items from the lists, at least one.
    fn take_shared(&self, class: usize, count: usize) -> Result<Batch, RegionError> {
        let geometry = self.geometry();
        let mut batch = Batch::EMPTY;
        self.lists.with(|lists| {
            lists.reopen(|class| self.stacks(class));
            batch.push(self.take_or_grow(lists, class, geometry)?);
            lists.take_some(count - 1, class, geometry, |item| batch.push(item));
            Ok(batch)
        })
    }

    fn take_or_grow(&self, lists: &Lists, class: usize, geometry: Geometry) -> Result<usize, RegionError> {
        if let Some(item) = lists.take(class, geometry) {
            return Ok(item);
        }
        let grown = lists.grow(&self.options, geometry);
        if grown.is_err() {
            self.stacks(class).map(|stacks| lists.drain(stacks, class, geometry));
        }
        match lists.take(class, geometry) {
            Some(item) => Ok(item),
            None => Err(grown.err().unwrap_or(RegionError::TooLarge)),
        }
    }

    fn put_shared(&self, items: &[usize], class: usize) {
        let geometry = self.geometry();
        self.lists.with(|lists| items.iter().for_each(|&item| lists.put(item, class, geometry)));
    }

    /// Frees an item for a thread whose CPU has no room for it.
    #[cold]
    #[inline(never)]
    pub(super) fn release(&self, item: NonNull<u8>, layout: Layout) {
        let Some(class) = class(layout, STRIDE) else {
            return self.report(Finding::Foreign { address: item.as_ptr().expose_provenance() });
        };
        if let Some(report) = self.options.report {
            return self.put_checked(item, layout, class, report);
        }
        let mut batch = Batch::EMPTY;
        batch.push(item.as_ptr().expose_provenance());
        if let Some(stacks) = self.stacks_of_thread(class) {
            if stacks.push(batch.items[0], stacks::most(class, STRIDE)).is_ok() {
                return;
            }
            (0..at_a_time(class, STRIDE)).map_while(|_| stacks.pop()).for_each(|item| batch.push(item));
        }
        self.put_shared(batch.items(), class);
    }

    /// The stacks of a class, made if there are none, if this thread may use them.
    fn stacks_of_thread(&self, class: usize) -> Option<Stacks> {
        if !memory::is_on() || ensure_registered().is_err() {
            return None;
        }
        if self.stacks.load(Ordering::Acquire).is_null() {
            let mapped = stacks::map(memory::slots()).ok()?;
            let null = ptr::null_mut();
            if self.stacks.compare_exchange(null, mapped, Ordering::AcqRel, Ordering::Acquire).is_err() {
                // SAFETY: it was mapped above, and nobody has seen it.
                unsafe { stacks::unmap(mapped, memory::slots()) };
            }
        }
        self.stacks(class)
    }

    /// An item that was not written since it was freed, tagged if it is fresh.
    fn take_checked(&self, layout: Layout, class: usize, report: fn(Finding)) -> Result<usize, RegionError> {
        let geometry = self.geometry();
        loop {
            let taken = self.lists.with(|lists| self.take_or_grow(lists, class, geometry))?;
            let Some(item) = NonNull::new(ptr::with_exposed_provenance_mut::<u8>(taken & !TAGS)) else { continue };
            let is_fresh = taken & FRESH != 0;
            match robust::changed(item, 0, class, geometry).filter(|_| !is_fresh) {
                Some(cpu) => report(Finding::WriteAfterFree { item: taken & !TAGS, cpu }),
                None => {
                    robust::begin_use(item, layout.size(), class, geometry);
                    return Ok(taken);
                }
            }
        }
    }

    fn put_checked(&self, item: NonNull<u8>, layout: Layout, class: usize, report: fn(Finding)) {
        let (geometry, address) = (self.geometry(), item.as_ptr().expose_provenance());
        if let Err(finding) = self.lists.with(|lists| robust::end_use(lists, address, layout.size(), geometry)) {
            return report(finding);
        }
        if let Some(cpu) = robust::changed(item, layout.size(), class, geometry) {
            return report(Finding::Overrun { item: address, cpu });
        }
        robust::poison(item, 0, class, geometry);
        self.put_shared(&[address], class);
    }

    fn report(&self, finding: Finding) {
        if let Some(report) = self.options.report {
            report(finding);
        }
    }
}

impl<const STRIDE: usize> Drop for Region<STRIDE> {
    fn drop(&mut self) {
        let geometry = self.geometry();
        let lists = self.lists.get_mut();
        if let Some(report) = self.options.report {
            robust::audit(lists, geometry, report);
        }
        let is_mapped = self.options.given.start.is_null();
        let mut ranges = robust::ranges(lists, geometry);
        while let Some(range) = ranges.next().filter(|_| is_mapped) {
            // SAFETY: `make` returned it; with the region go its items. The next one was found before.
            unsafe { range::unmake(range, geometry) };
        }
        let stacks = *self.stacks.get_mut();
        if !stacks.is_null() {
            // SAFETY: it was mapped for so many CPUs, and no thread is in a section of this region.
            unsafe { stacks::unmap(stacks, memory::slots()) };
        }
    }
}
