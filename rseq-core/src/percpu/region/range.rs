//! Making and unmaking ranges.

use super::RegionError;
use super::geometry::{self, Geometry};
use super::numa;
use super::options::{Populate, RegionOptions};
use crate::sys::memory::{self, Contents, MemoryFile};
use crate::sys::{Errno, generation};
use core::ffi::CStr;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

const NAME: &CStr = c"rseq-core region";

/// Maps a range; its address.
pub(super) fn make(options: &RegionOptions, geometry: Geometry) -> Result<usize, RegionError> {
    let range =
        memory::map_aligned(geometry.lead(), geometry.size(), geometry.stride).map_err(RegionError::NoMemory)?;
    if let Err(error) = set_up(range, options, geometry) {
        // SAFETY: it was mapped above, and nobody has seen it.
        unsafe { unmake(range.as_ptr().expose_provenance(), true, geometry) };
        return Err(error);
    }
    Ok(range.as_ptr().expose_provenance())
}

fn set_up(range: NonNull<u8>, options: &RegionOptions, geometry: Geometry) -> Result<(), RegionError> {
    memory::name(range, geometry.size(), NAME);
    populate(range, options.populate, geometry).map_err(RegionError::NotMapped)?;
    // A huge page would take the memory of many CPUs from the node of the first one that touches it.
    memory::without_huge_pages(range, geometry.size());
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

/// Names the owner of a range, and keeps the range from children if it is to be.
fn begin(range: NonNull<u8>, options: &RegionOptions, geometry: Geometry) -> Result<(), Errno> {
    let address = range.as_ptr().expose_provenance();
    // SAFETY: a range of this geometry, with a lead.
    unsafe {
        geometry::owner(address).store(options.owner, Ordering::Relaxed);
        geometry.process(address).store(generation(), Ordering::Relaxed);
    }
    if options.is_inherited { Ok(()) } else { memory::keep_from_children(range, geometry.size()) }
}

/// Whether this process has the copies in its ranges: its parent may have made the ranges, and not for children.
pub(super) fn is_ours(range: usize, options: &RegionOptions, geometry: Geometry) -> bool {
    // SAFETY: a range that children do not have has a lead, which they do have.
    options.is_inherited || unsafe { geometry.process(range) }.load(Ordering::Relaxed) == generation()
}

fn populate(range: NonNull<u8>, populate: Populate, geometry: Geometry) -> Result<(), Errno> {
    match populate {
        Populate::Zero => Ok(()),
        // SAFETY: the copies lie in the range, of which nothing is used yet.
        Populate::Shared => unsafe { memory::remap(range, geometry.copies(), Contents::Shared) },
        Populate::CopyOnWrite => {
            let file = MemoryFile::new(NAME, geometry.stride)?;
            // SAFETY: each copy and the template lie in the range, of which nothing is used yet.
            let map = |copy, contents| unsafe { memory::remap(copy, geometry.stride, contents) };
            geometry.copies_of(range).try_for_each(|copy| map(copy, Contents::CopyOf(&file)))?;
            geometry.place_of_template(range).map_or(Ok(()), |template| map(template, Contents::File(&file)))
        }
    }
}

/// Unmaps a range.
///
/// # Safety
///
/// [`make`] returned it for this geometry, and it is used no more. `has_copies` says whether this process has more of
/// it than its lead.
pub(super) unsafe fn unmake(range: usize, has_copies: bool, geometry: Geometry) {
    let len = if has_copies { geometry.size() } else { 0 };
    if let Some(start) = NonNull::new(core::ptr::with_exposed_provenance_mut(range - geometry.lead())) {
        // SAFETY: the caller gives up what `make` has mapped.
        let _ = unsafe { memory::unmap(start, geometry.lead() + len) };
    }
}

/// Cuts a range from the program's memory, of which `taken` bytes are taken; its address.
pub(super) fn cut(options: &RegionOptions, taken: &AtomicUsize, geometry: Geometry) -> Result<usize, RegionError> {
    const NO_ROOM: RegionError = RegionError::NoMemory(Errno::ENOSPC);
    let given = options.given;
    let start = given.start.expose_provenance();
    let free = start.checked_add(taken.load(Ordering::Relaxed)).ok_or(NO_ROOM)?;
    let range = memory::align_up(free, geometry.stride);
    let before = range.checked_sub(start).ok_or(NO_ROOM)?; // it wraps around where no multiple follows
    let end = before.checked_add(geometry.size()).filter(|&end| end <= given.len).ok_or(NO_ROOM)?;
    taken.store(end, Ordering::Release);
    let copies = core::ptr::with_exposed_provenance_mut::<u8>(range);
    // SAFETY: the range lies in the program's memory, which nothing else uses; the rest of it follows the copies.
    unsafe { copies.byte_add(geometry.copies()).write_bytes(0, geometry.size() - geometry.copies()) };
    if options.reporter().is_some() {
        for word in (0..geometry.copies()).step_by(size_of::<usize>()) {
            // SAFETY: as above; the copies are whole words.
            unsafe { copies.byte_add(word).cast::<usize>().write(geometry.pattern) };
        }
    }
    Ok(range)
}
