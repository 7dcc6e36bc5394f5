//! The rules of descriptors, pointers and exit points.

use super::image::{Image, Section};
use std::collections::BTreeMap;

const DESCRIPTOR: u64 = 32;

/// What the rules say of an image.
#[derive(Debug, Default)]
pub struct Found {
    pub sections: usize,
    pub exit_points: usize,
    pub findings: Vec<String>,
}

/// A descriptor that could be read.
struct Descriptor {
    start: u64,
    end: u64,
}

/// Checks an image; one without descriptors is clean.
///
/// # Errors
///
/// If a section's bytes are not in the file.
pub fn check(image: &Image<'_>) -> Result<Found, String> {
    let mut found = Found::default();
    let mut descriptors = BTreeMap::new();
    for section in named(image, "__rseq_cs") {
        for address in entries(section, DESCRIPTOR, &mut found) {
            let descriptor = descriptor(image, address, &mut found)?;
            descriptors.insert(address, descriptor);
        }
    }
    found.sections = descriptors.len();
    pointers(image, &descriptors, &mut found)?;
    exits(image, &descriptors, &mut found)?;
    Ok(found)
}

fn named<'i>(image: &'i Image<'_>, name: &'static str) -> impl Iterator<Item = &'i Section> {
    image.sections.iter().filter(move |section| section.name == name)
}

/// The addresses of a section's entries.
fn entries(section: &Section, size: u64, found: &mut Found) -> impl Iterator<Item = u64> + use<> {
    let Section { name, address, size: bytes, .. } = section;
    if !bytes.is_multiple_of(size) {
        found.findings.push(format!("{name}: {bytes} bytes are not a multiple of {size}"));
    }
    let (address, count) = (*address, bytes / size);
    (0..count).map_while(move |entry| address.checked_add(entry * size))
}

fn missing(address: u64) -> String {
    format!("{address:#x} is in a section but not in the file")
}

fn descriptor(image: &Image<'_>, address: u64, found: &mut Found) -> Result<Descriptor, String> {
    let word = |offset| image.u64(address + offset).ok_or_else(|| missing(address));
    let half = |offset| image.u32(address + offset).ok_or_else(|| missing(address));
    let mut faults = Vec::new();
    let (version, flags) = (half(0)?, half(4)?);
    let (start, length, abort) = (word(8)? & !image.machine.mask, word(16)?, word(24)? & !image.machine.mask);
    if !address.is_multiple_of(DESCRIPTOR) {
        faults.push("is not aligned to 32 bytes".into());
    }
    if (version, flags) != (0, 0) {
        faults.push(format!("has version {version} and flags {flags:#x}, not 0 and 0"));
    }
    let end = start.saturating_add(length);
    if length == 0 || image.code(start, end).is_none() {
        faults.push(format!("covers {start:#x} to {end:#x}, which is not within one executable section"));
    }
    if image.code(abort, abort.saturating_add(1)).is_none() {
        faults.push(format!("aborts to {abort:#x}, where no code is"));
    } else if (start..end).contains(&abort) {
        faults.push(format!("aborts to {abort:#x}, inside itself"));
    }
    faults.extend(signature(image, abort));
    found.findings.extend(faults.into_iter().map(|fault| format!("the descriptor at {address:#x} {fault}")));
    Ok(Descriptor { start, end })
}

fn signature(image: &Image<'_>, abort: u64) -> Option<String> {
    let expected = image.machine.signature;
    match abort.checked_sub(4).and_then(|address| image.bytes(address, 4)) {
        Some(bytes) if bytes == expected => None,
        Some(bytes) => Some(format!("has {bytes:02x?} before its abort handler, not the signature {expected:02x?}")),
        None => Some("has no signature before its abort handler".into()),
    }
}

/// Each descriptor is pointed to once. The array may be missing as a whole: a linker that collects garbage drops it.
fn pointers(image: &Image<'_>, descriptors: &BTreeMap<u64, Descriptor>, found: &mut Found) -> Result<(), String> {
    let mut pointed: BTreeMap<u64, usize> = BTreeMap::new();
    let mut there = false;
    for section in named(image, "__rseq_cs_ptr_array") {
        there = true;
        for address in entries(section, 8, found) {
            *pointed.entry(image.u64(address).ok_or_else(|| missing(address))?).or_default() += 1;
        }
    }
    for (target, times) in &pointed {
        if !descriptors.contains_key(target) {
            found.findings.push(format!("__rseq_cs_ptr_array points to {target:#x}, where no descriptor is"));
        } else if *times != 1 {
            found.findings.push(format!("__rseq_cs_ptr_array points to {target:#x} {times} times"));
        }
    }
    if there {
        let lost = descriptors.keys().filter(|address| !pointed.contains_key(address));
        found.findings.extend(lost.map(|address| format!("__rseq_cs_ptr_array does not point to {address:#x}")));
    }
    Ok(())
}

/// Each exit point belongs to a section, and leads out of it.
fn exits(image: &Image<'_>, descriptors: &BTreeMap<u64, Descriptor>, found: &mut Found) -> Result<(), String> {
    let by_start: BTreeMap<u64, &Descriptor> = descriptors.values().map(|section| (section.start, section)).collect();
    for section in named(image, "__rseq_exit_point_array") {
        for address in entries(section, 16, found) {
            found.exit_points += 1;
            let word = |offset| image.u64(address + offset).ok_or_else(|| missing(address));
            let (start, exit) = (word(0)? & !image.machine.mask, word(8)? & !image.machine.mask);
            match by_start.get(&start) {
                None => {
                    found.findings.push(format!("the exit point at {address:#x} belongs to no section: {start:#x}"))
                }
                Some(section) if (start..section.end).contains(&exit) => {
                    found
                        .findings
                        .push(format!("the exit point at {address:#x} leads to {exit:#x}, inside its section"));
                }
                Some(_) if image.code(exit, exit.saturating_add(1)).is_none() => {
                    found.findings.push(format!("the exit point at {address:#x} leads to {exit:#x}, where no code is"));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}
