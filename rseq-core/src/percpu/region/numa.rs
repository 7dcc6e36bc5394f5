//! Each CPU's copies on the CPU's NUMA node.

use super::geometry::Geometry;
use crate::percpu::CpuRanges;
use crate::sys::{self, Errno, mappings};
use core::ffi::CStr;
use core::iter::successors;
use core::ptr::NonNull;

const NODES: &CStr = c"/sys/devices/system/node/has_cpu";

/// Binds the copies in a range to the nodes of their CPUs. A kernel without NUMA has one node, to which all is bound.
pub(super) fn bind(range: NonNull<u8>, geometry: Geometry) -> Result<(), Errno> {
    let mut text = [0; 4096];
    let nodes = match sys::read_file(NODES, &mut text) {
        // Node 0 exists on every machine.
        Err(Errno::ENOENT) if mappings::bind(range, 0, 0) == Err(Errno::ENOSYS) => return Ok(()),
        nodes => nodes?,
    };
    for nodes in CpuRanges::of(nodes) {
        for node in nodes.map_err(|_| Errno::EINVAL)? {
            bind_node(range, node, geometry)?;
        }
    }
    Ok(())
}

fn bind_node(range: NonNull<u8>, node: u32, geometry: Geometry) -> Result<(), Errno> {
    let (mut path, mut text) = ([0; 64], [0; 4096]);
    for cpus in CpuRanges::of(sys::read_file(cpu_list(node, &mut path), &mut text)?) {
        let cpus = cpus.map_err(|_| Errno::EINVAL)?;
        let (first, end) = (*cpus.start() as usize, (*cpus.end() as usize + 1).min(geometry.slots));
        if first < end {
            // SAFETY: CPUs below `slots` have copies in the range.
            let copies = unsafe { range.byte_add(first * geometry.stride) };
            mappings::bind(copies, (end - first) * geometry.stride, node)?;
        }
    }
    Ok(())
}

/// Pages that are moved in one call.
const PAGES: usize = 512;

/// Moves the pages in `len` bytes from `start` on to the NUMA node of a CPU; `flags` are those of move_pages(2), such
/// as `MPOL_MF_MOVE`. Pages that were not touched yet, and pages that cannot be moved, stay as they are, without an
/// error.
///
/// # Errors
///
/// The kernel's: ENOSYS without NUMA, EPERM, or EINVAL for unknown flags; and EINVAL if no node has the CPU.
pub fn move_to_node_of(cpu: u32, start: NonNull<u8>, len: usize, flags: u32) -> Result<(), Errno> {
    let node = node_of(cpu)?;
    each_batch(start.addr().get(), len, mappings::page_size(), |pages| {
        mappings::move_pages(pages, &[node as i32; PAGES], &mut [0; PAGES], flags)
    })
}

/// Calls `each` with the addresses of the pages in `len` bytes from `start` on, up to [`PAGES`] at a time.
fn each_batch(
    start: usize,
    len: usize,
    page: usize,
    mut each: impl FnMut(&[usize]) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let end = start.saturating_add(len);
    let mut next = start & !(page - 1);
    while next < end {
        let mut pages = [0; PAGES];
        let addresses =
            successors(Some(next), |address| address.checked_add(page)).take_while(|&address| address < end);
        let count = pages.iter_mut().zip(addresses).map(|(place, address)| *place = address).count();
        each(pages.get(..count).unwrap_or_default())?;
        next = next.saturating_add(PAGES * page);
    }
    Ok(())
}

/// The node of a CPU. A kernel without NUMA has none.
fn node_of(cpu: u32) -> Result<u32, Errno> {
    let (mut text, mut list) = ([0; 4096], [0; 4096]);
    let nodes = sys::read_file(NODES, &mut text).map_err(|error| match error {
        Errno::ENOENT => Errno::ENOSYS,
        error => error,
    })?;
    for node in CpuRanges::of(nodes).filter_map(Result::ok).flatten() {
        let cpus = sys::read_file(cpu_list(node, &mut [0; 64]), &mut list)?;
        if CpuRanges::of(cpus).filter_map(Result::ok).any(|cpus| cpus.contains(&cpu)) {
            return Ok(node);
        }
    }
    Err(Errno::EINVAL)
}

/// The path of the list of a node's CPUs.
fn cpu_list(node: u32, path: &mut [u8; 64]) -> &CStr {
    const PARTS: (&[u8], &[u8]) = (b"/sys/devices/system/node/node", b"/cpulist\0");
    let (mut digits, mut rest, mut count) = ([0; 10], node, 0);
    for digit in digits.iter_mut().rev() {
        if count > 0 && rest == 0 {
            break;
        }
        *digit = b'0' + (rest % 10) as u8;
        (rest, count) = (rest / 10, count + 1);
    }
    let number = digits.iter().skip(digits.len() - count);
    let bytes = PARTS.0.iter().chain(number).chain(PARTS.1);
    path.iter_mut().zip(bytes).for_each(|(place, &byte)| *place = byte);
    CStr::from_bytes_until_nul(path).unwrap_or(c"")
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn every_page_is_in_one_batch() {
        const PAGE: usize = 4096;
        let last = usize::MAX - PAGE + 1;
        for (start, len, pages) in [
            (PAGE, 0, 0),
            (PAGE + 8, 8, 1),
            (PAGE - 8, 16, 2),
            (0, PAGES * PAGE, PAGES),
            (8, PAGES * PAGE, PAGES + 1),
            (PAGE, 3 * PAGES * PAGE - 1, 3 * PAGES),
            (last, usize::MAX, 1),
        ] {
            let mut found = Vec::new();
            let batch = |pages: &[usize]| {
                assert!(!pages.is_empty());
                found.extend_from_slice(pages);
                Ok(())
            };
            each_batch(start, len, PAGE, batch).unwrap();
            let first = start & !(PAGE - 1);
            let expected: Vec<_> = (0..pages).map(|number| first + number * PAGE).collect();
            assert_eq!(found, expected, "{len} bytes from {start:#x} on");
        }
        let stop =
            each_batch(0, 2 * PAGES * PAGE, PAGE, |pages| if pages[0] == 0 { Ok(()) } else { Err(Errno::EPERM) });
        assert_eq!(stop, Err(Errno::EPERM));
    }

    #[test]
    fn paths_have_the_number_in_decimal() {
        let path = |node, text: &CStr| assert_eq!(cpu_list(node, &mut [0; 64]), text);
        path(0, c"/sys/devices/system/node/node0/cpulist");
        path(10, c"/sys/devices/system/node/node10/cpulist");
        path(u32::MAX, c"/sys/devices/system/node/node4294967295/cpulist");
    }
}
