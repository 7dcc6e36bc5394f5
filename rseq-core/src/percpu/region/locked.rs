//! Operations of a region under its lock, and for threads without stacks.

use super::arena::Arena;
use super::cpu_stacks::{self, Stacks};
use super::error::RegionError;
use super::finding::Finding;
use super::free_items::Lists;
use super::geometry::{FRESH, Geometry, TAGS};
use super::item_size::{MOST_AT_A_TIME, Size, at_a_time};
use super::options::Reporter;
use super::robust;
use super::shape::RegionShape;
use crate::ambient::ensure_registered;
use crate::percpu::memory;
use core::alloc::Layout;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;

/// Items in transit between a stack and the lists.
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
        self.items.get(..self.len).unwrap_or_default()
    }
}

impl Arena {
    /// Allocates a tagged item for a thread whose CPU has none. It computes the size again, because passing it would
    /// slow down the callers' fast path.
    #[cold]
    #[inline(never)]
    pub(super) fn refill(&self, layout: Layout, shape: &RegionShape) -> Result<usize, RegionError> {
        let shape = *shape;
        let size = Size::of(layout, shape.stride).ok_or(RegionError::TooLarge)?;
        let class = size.class;
        if let Some(reporter) = self.options.reporter() {
            return self.take_checked(size, shape, reporter);
        }
        let stacks = self.stacks_of_thread(class);
        // The thread may have registered here, or moved to a CPU with items.
        if let Some(item) = stacks.and_then(Stacks::pop) {
            return Ok(item);
        }
        let batch =
            self.take_shared(class, if stacks.is_some() { at_a_time(class, shape.stride) } else { 1 }, shape)?;
        let [first, others @ ..] = batch.items() else { return Err(RegionError::TooLarge) };
        let rest = others.iter().position(|&item| stacks.is_none_or(|stacks| stacks.push(item, size.most).is_err()));
        if let Some(rest) = rest {
            self.put_shared(others.get(rest..).unwrap_or_default(), class, shape);
        }
        Ok(*first)
    }

    /// Takes up to `count` items from the lists, at least one.
    fn take_shared(&self, class: usize, count: usize, shape: RegionShape) -> Result<Batch, RegionError> {
        let geometry = self.geometry(shape);
        let mut batch = Batch::EMPTY;
        self.lists.with(|lists| {
            lists.reopen(|class| self.stacks(class));
            batch.push(self.take_or_grow(lists, class, geometry)?);
            lists.take_some(count - 1, class, geometry, |item| batch.push(item));
            Ok(batch)
        })
    }

    pub(super) fn reserve(&self, shape: RegionShape) -> Result<(), RegionError> {
        let geometry = self.geometry(shape);
        self.lists.with(|lists| match lists.ranges(geometry).next() {
            None => lists.grow(&self.options, geometry),
            Some(_) => Ok(()),
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

    fn put_shared(&self, items: &[usize], class: usize, shape: RegionShape) {
        let geometry = self.geometry(shape);
        self.lists.with(|lists| items.iter().for_each(|&item| lists.put(item, class, geometry)));
    }

    /// Frees an item in a thread whose CPU has no room for it.
    #[cold]
    #[inline(never)]
    pub(super) fn release(&self, item: NonNull<u8>, layout: Layout, shape: &RegionShape) {
        let shape = *shape;
        // It returns for no item: one was allocated for a layout that fits.
        let Some(size) = Size::of(layout, shape.stride) else { return };
        let class = size.class;
        if let Some(reporter) = self.options.reporter() {
            return self.put_checked(item, size, shape, reporter);
        }
        let mut batch = Batch::EMPTY;
        batch.push(item.as_ptr().expose_provenance());
        if let Some(stacks) = self.stacks_of_thread(class) {
            if stacks.push(item.as_ptr().expose_provenance(), size.most).is_ok() {
                return;
            }
            (0..at_a_time(class, shape.stride)).map_while(|_| stacks.pop()).for_each(|item| batch.push(item));
        }
        self.put_shared(batch.items(), class, shape);
    }

    /// The stacks of a class, made if there are none, if this thread may use them.
    fn stacks_of_thread(&self, class: usize) -> Option<Stacks> {
        if !memory::is_on() || ensure_registered().is_err() {
            return None;
        }
        if self.stacks.load(Ordering::Acquire).is_null() {
            let mapped = cpu_stacks::map(memory::slots()).ok()?;
            let null = ptr::null_mut();
            if self.stacks.compare_exchange(null, mapped, Ordering::AcqRel, Ordering::Acquire).is_err() {
                // SAFETY: it was mapped above, and no other thread has seen it.
                unsafe { cpu_stacks::unmap(mapped, memory::slots()) };
            }
        }
        self.stacks(class)
    }

    /// Takes an item that has not been written since it was freed, tagged if it is fresh.
    fn take_checked(&self, size: Size, shape: RegionShape, reporter: Reporter) -> Result<usize, RegionError> {
        let class = size.class;
        let geometry = self.geometry(shape);
        loop {
            let taken = self.lists.with(|lists| {
                robust::check_list(lists, class, geometry).inspect_err(|_| lists.forget(class))?;
                Ok(self.take_or_grow(lists, class, geometry))
            });
            let taken = match taken {
                Ok(taken) => taken?,
                Err(finding) => {
                    reporter.report(finding);
                    continue;
                }
            };
            let Some(item) = NonNull::new(ptr::with_exposed_provenance_mut::<u8>(taken & !TAGS)) else { continue };
            let is_fresh = taken & FRESH != 0;
            match robust::changed(item, 0, class, geometry).filter(|_| !is_fresh) {
                Some(cpu) => reporter.report(Finding::WriteAfterFree { item: taken & !TAGS, cpu }),
                None => {
                    robust::begin_use(item, size.layout.size(), class, geometry);
                    return Ok(taken);
                }
            }
        }
    }

    fn put_checked(&self, item: NonNull<u8>, size: Size, shape: RegionShape, reporter: Reporter) {
        let class = size.class;
        let (geometry, address) = (self.geometry(shape), item.as_ptr().expose_provenance());
        if let Err(finding) = self.lists.with(|lists| robust::end_use(lists, address, size.layout.size(), geometry)) {
            return reporter.report(finding);
        }
        if let Some(cpu) = robust::changed(item, size.layout.size(), class, geometry) {
            return reporter.report(Finding::Overrun { item: address, cpu });
        }
        robust::poison(item, 0, class, geometry);
        self.put_shared(&[address], class, shape);
    }

    pub(super) fn report(&self, finding: Finding) {
        if let Some(reporter) = self.options.reporter() {
            reporter.report(finding);
        }
    }
}
