//! Mapping and unmapping ranges.

use super::error::RegionError;
use super::geometry::{self, Geometry};
use super::numa;
use super::options::{Populate, RegionOptions};
use crate::sys::mappings::{self, Contents, MemoryFile};
use crate::sys::{Errno, generation};
use core::ffi::CStr;
use core::mem::forget;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

const NAME: &CStr = c"rseq-core region";

/// Maps a range, and returns its address.
pub(super) fn make(options: &RegionOptions, geometry: Geometry) -> Result<usize, RegionError> {
    let range =
        mappings::map_aligned(geometry.lead(), geometry.size(), geometry.stride).map_err(RegionError::NoMemory)?;
    let unfinished = Unfinished { range: range.as_ptr().expose_provenance(), geometry };
    set_up(range, options, geometry)?;
    forget(unfinished);
    Ok(range.as_ptr().expose_provenance())
}

/// A range that is being made; dropping it unmaps it, after a panic of the program's function too.
struct Unfinished {
    range: usize,
    geometry: Geometry,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // SAFETY: `make` has mapped it with this geometry, and passes its address on only once this value is forgotten.
        // All of it is mapped.
        unsafe { unmake(self.range, true, self.geometry) };
    }
}

fn set_up(range: NonNull<u8>, options: &RegionOptions, geometry: Geometry) -> Result<(), RegionError> {
    mappings::name(range, geometry.size(), NAME);
    populate(range, options.populate, geometry).map_err(RegionError::NotMapped)?;
    // The memory of a huge page, which holds copies of many CPUs, is all on the node of the first CPU that touches it.
    mappings::without_huge_pages(range, geometry.size());
    if options.binds {
        numa::bind(range, geometry).map_err(RegionError::NotBound)?;
    }
    if geometry.lead() > 0 {
        begin(range, options, geometry).map_err(RegionError::NotMapped)?;
    }
    options
        .init
        .map_or(Ok(()), |init| {
            let mut copies = geometry.copies_of(range).enumerate();
            copies.try_for_each(|(cpu, copy)| init(options.owner, copy, geometry.stride, cpu))
        })
        .map_err(RegionError::NotInitialized)
}

/// Writes the header of a range with a lead, and keeps the range from children if it is not inherited.
fn begin(range: NonNull<u8>, options: &RegionOptions, geometry: Geometry) -> Result<(), Errno> {
    let address = range.as_ptr().expose_provenance();
    // SAFETY: `range` was mapped with this geometry, which has a lead, and is not unmapped in this block.
    unsafe {
        geometry::owner(address).store(options.owner, Ordering::Relaxed);
        geometry.process(address).store(generation(), Ordering::Relaxed);
    }
    if options.is_inherited { Ok(()) } else { mappings::keep_from_children(range, geometry.size()) }
}

/// Whether this process has the memory of a range. It does not if a parent process mapped the range and kept it from
/// children. Memory that the program provides is never kept from them.
pub(super) fn is_ours(range: usize, options: &RegionOptions, geometry: Geometry) -> bool {
    if options.is_inherited || geometry.lead() == 0 {
        return true;
    }
    // SAFETY: the range has a lead, whose memory children have too. The region's ranges are mapped until it is dropped.
    unsafe { geometry.process(range) }.load(Ordering::Relaxed) == generation()
}

fn populate(range: NonNull<u8>, populate: Populate, geometry: Geometry) -> Result<(), Errno> {
    match populate {
        Populate::Zero => Ok(()),
        // SAFETY: the copies lie in the range, which is not used yet, so that replacing its memory has no effect on
        // anything else.
        Populate::Shared => unsafe { mappings::remap(range, geometry.copies(), Contents::Shared) },
        Populate::CopyOnWrite => {
            let file = MemoryFile::new(NAME, geometry.stride)?;
            // SAFETY: each copy and the template have `stride` bytes in the range, which is not used yet, so that
            // replacing its memory has no effect on anything else.
            let map = |copy, contents| unsafe { mappings::remap(copy, geometry.stride, contents) };
            geometry.copies_of(range).try_for_each(|copy| map(copy, Contents::CopyOf(&file)))?;
            geometry.place_of_template(range).map_or(Ok(()), |template| map(template, Contents::File(&file)))
        }
    }
}

/// Unmaps a range.
///
/// # Safety
///
/// [`make`] returned it for this geometry, and it is no longer used. `has_copies` is whether this process has the
/// memory of the range besides its lead.
pub(super) unsafe fn unmake(range: usize, has_copies: bool, geometry: Geometry) {
    let len = if has_copies { geometry.size() } else { 0 };
    if let Some(start) = NonNull::new(core::ptr::with_exposed_provenance_mut(range - geometry.lead())) {
        // SAFETY: `make` mapped these bytes: the lead, and the rest unless this process does not have it. The caller
        // guarantees that the range is no longer used.
        let _ = unsafe { mappings::unmap(start, geometry.lead() + len) };
    }
}

/// Takes a range from the program's memory, of which `taken` bytes are already taken, and returns its address.
pub(super) fn cut(options: &RegionOptions, taken: &AtomicUsize, geometry: Geometry) -> Result<usize, RegionError> {
    const NO_ROOM: RegionError = RegionError::NoMemory(Errno::ENOSPC);
    let given = options.given;
    let start = given.start.expose_provenance();
    let free = start.checked_add(taken.load(Ordering::Relaxed)).ok_or(NO_ROOM)?;
    let range = mappings::align_up(free, geometry.stride);
    let before = range.checked_sub(start).ok_or(NO_ROOM)?; // `align_up` wraps around at the end of the address space
    let end = before.checked_add(geometry.size()).filter(|&end| end <= given.len).ok_or(NO_ROOM)?;
    taken.store(end, Ordering::Release);
    let copies = core::ptr::with_exposed_provenance_mut::<u8>(range);
    // SAFETY: the range ends within the `len` bytes at `start`, which only the region uses, as the caller of
    // `RegionOptions::memory` guarantees, and whose address was exposed above. These bytes are after the copies.
    unsafe { copies.byte_add(geometry.copies()).write_bytes(0, geometry.size() - geometry.copies()) };
    if options.reporter().is_some() {
        for word in (0..geometry.copies()).step_by(size_of::<usize>()) {
            // SAFETY: these bytes are the copies of the same range, which begins at a multiple of the stride, so that
            // the words are aligned. Their size is a multiple of a word.
            unsafe { copies.byte_add(word).cast::<usize>().write(geometry.pattern) };
        }
    }
    Ok(range)
}
