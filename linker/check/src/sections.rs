//! The rules of descriptors, pointers and exit points.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::body::{self, Body};
use crate::code::Decoder;
use crate::descriptor::Descriptor;
use crate::dynamorio;
use crate::entry::{self, Sought};
use crate::error::{Error, Result};
use crate::image::{Image, Section};
use crate::rule::{Finding, Rule};

const DESCRIPTOR: u64 = 32;

/// A critical section, as its descriptor and its instructions describe it.
#[derive(Debug, Serialize)]
pub struct Described {
    /// The address of its descriptor.
    pub descriptor: u64,
    /// The address of its first instruction.
    pub start: u64,
    /// The address after its last instruction.
    pub end: u64,
    /// The address of its abort handler.
    pub abort: u64,
    /// Its last instruction, if that is a store.
    pub commit: Option<String>,
    /// Whether that store comes after all loads and stores before it: a release.
    pub release: bool,
    /// The addresses of stores before it, those to the stack left out: each may happen any number of times.
    pub repeated_stores: Vec<u64>,
}

/// What the rules say of an image.
#[derive(Debug, Default)]
pub struct Found {
    pub sections: Vec<Described>,
    pub exit_points: usize,
    pub findings: Vec<Finding>,
    pub notes: Vec<Finding>,
}

impl Found {
    fn fault(&mut self, rule: Rule, message: String) {
        self.findings.push(Finding::new(rule, message));
    }
}

/// Checks an image; one without descriptors is clean. What `deny` names is a fault where it would be noted.
///
/// # Errors
///
/// If a section's bytes are not in the file, or sections overlap.
pub fn check(image: &Image<'_>, deny: &[Rule]) -> Result<Found> {
    let mut found = Found::default();
    if let Some(why) = &image.unread {
        found.notes.push(Finding::new(Rule::PackedRelocations, why.clone()));
    }
    let mut descriptors = BTreeMap::new();
    for section in named(image, "__rseq_cs") {
        for address in entries(image, section, DESCRIPTOR, &mut found)? {
            let descriptor = descriptor(image, address, &mut found)?;
            descriptors.insert(address, descriptor);
        }
    }
    pointers(image, &descriptors, &mut found)?;
    let exits = exits(image, &descriptors, &mut found)?;
    let decoders = [Decoder::new(image.machine, false)?, Decoder::new(image.machine, true)?];
    bodies(image, &decoders, &descriptors, &exits, deny, &mut found)?;
    surroundings(image, &decoders, &descriptors, &mut found)?;
    unsupported(image, &decoders, &descriptors, deny, &mut found);
    let (denied, notes) = found.notes.into_iter().partition(|note| deny.contains(&note.rule));
    found.notes = notes;
    found.findings.extend::<Vec<_>>(denied);
    Ok(found)
}

fn named<'i>(image: &'i Image<'_>, name: &'static str) -> impl Iterator<Item = &'i Section> {
    image.sections.iter().filter(move |section| section.name == name)
}

/// The addresses of a section's entries.
fn entries(
    image: &Image<'_>,
    section: &Section,
    size: u64,
    found: &mut Found,
) -> Result<impl Iterator<Item = u64> + use<>> {
    let Section { name, address, size: bytes, .. } = section;
    if *bytes > image.len {
        return Err(Error::SectionTooLong(name.clone(), *bytes));
    }
    if !bytes.is_multiple_of(size) {
        found.fault(Rule::PartialEntry, format!("{name}: {bytes} bytes are not a multiple of {size}"));
    }
    let (address, count) = (*address, bytes / size);
    Ok((0..count).map_while(move |entry| address.checked_add(entry * size)))
}

fn descriptor(image: &Image<'_>, address: u64, found: &mut Found) -> Result<Descriptor> {
    let at = |offset| address.checked_add(offset).ok_or(Error::NotInFile(address));
    let word = |offset| image.u64(at(offset)?).ok_or(Error::NotInFile(address));
    let half = |offset| image.u32(at(offset)?).ok_or(Error::NotInFile(address));
    let mut faults: Vec<(Rule, String)> = Vec::new();
    let (version, flags) = (half(0)?, half(4)?);
    let mask = image.machine.mask;
    let (start, length, abort) = (word(8)?, word(16)?, word(24)? & !mask);
    // A local label of an assembler is an address without the bit that says so.
    let (bit, start) = (start & mask != 0, start & !mask);
    let thumb = bit || image.is_thumb(start);
    if !address.is_multiple_of(DESCRIPTOR) {
        faults.push((Rule::Misaligned, "is not aligned to 32 bytes".into()));
    }
    if (version, flags) != (0, 0) {
        faults.push((Rule::Version, format!("has version {version} and flags {flags:#x}, not 0 and 0")));
    }
    let end = start.saturating_add(length);
    let covers_code = length != 0 && image.code(start, end).is_some();
    if !covers_code {
        let fault = format!("covers {start:#x} to {end:#x}, which is not within one executable section");
        faults.push((Rule::NoCode, fault));
    }
    let aborts_to_code = image.code(abort, abort.saturating_add(1)).is_some();
    if !aborts_to_code {
        faults.push((Rule::AbortToNoCode, format!("aborts to {abort:#x}, which is not code")));
    } else if (start..end).contains(&abort) {
        faults.push((Rule::AbortInside, format!("aborts to {abort:#x}, inside itself")));
    }
    faults.extend(signature(image, abort).map(|fault| (Rule::Signature, fault)));
    for (rule, fault) in faults {
        found.fault(rule, format!("the descriptor at {address:#x} {fault}"));
    }
    Ok(Descriptor { address, start, end, abort, thumb, sound: covers_code && aborts_to_code })
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
fn pointers(image: &Image<'_>, descriptors: &BTreeMap<u64, Descriptor>, found: &mut Found) -> Result<()> {
    let mut pointed: BTreeMap<u64, usize> = BTreeMap::new();
    let mut there = false;
    for section in named(image, "__rseq_cs_ptr_array") {
        there = true;
        for address in entries(image, section, 8, found)? {
            *pointed.entry(image.u64(address).ok_or(Error::NotInFile(address))?).or_default() += 1;
        }
    }
    for (target, times) in &pointed {
        if !descriptors.contains_key(target) {
            let fault = format!("__rseq_cs_ptr_array points to {target:#x}, where no descriptor is");
            found.fault(Rule::StrayPointer, fault);
        } else if *times != 1 {
            let fault = format!("__rseq_cs_ptr_array points to {target:#x} {times} times");
            found.fault(Rule::RepeatedPointer, fault);
        }
    }
    if there {
        let lost = descriptors.keys().filter(|address| !pointed.contains_key(address));
        for address in lost {
            found.fault(Rule::LostPointer, format!("__rseq_cs_ptr_array does not point to {address:#x}"));
        }
    } else if !descriptors.is_empty() {
        let note = "no __rseq_cs_ptr_array: debuggers cannot list the sections";
        found.notes.push(Finding::new(Rule::NoPointers, note));
    }
    Ok(())
}

/// Where each section is recorded to leave to, by its start.
type Exits = BTreeMap<u64, BTreeSet<u64>>;

/// Each exit point belongs to a section, and leads out of it.
fn exits(image: &Image<'_>, descriptors: &BTreeMap<u64, Descriptor>, found: &mut Found) -> Result<Exits> {
    let by_start: BTreeMap<u64, &Descriptor> = descriptors.values().map(|section| (section.start, section)).collect();
    let mut exits = Exits::new();
    for section in named(image, "__rseq_exit_point_array") {
        for address in entries(image, section, 16, found)? {
            found.exit_points += 1;
            let exit_at = address.checked_add(8).ok_or(Error::NotInFile(address))?;
            let word = |address| image.u64(address).ok_or(Error::NotInFile(address));
            let (start, exit) = (word(address)? & !image.machine.mask, word(exit_at)? & !image.machine.mask);
            let (rule, fault) = match by_start.get(&start) {
                None => (Rule::StrayExit, format!("belongs to no section: {start:#x}")),
                Some(section) if (start..section.end).contains(&exit) => {
                    (Rule::InnerExit, format!("leads to {exit:#x}, inside its section"))
                }
                Some(_) if image.code(exit, exit.saturating_add(1)).is_none() => {
                    (Rule::ExitToNoCode, format!("leads to {exit:#x}, which is not code"))
                }
                Some(_) => {
                    exits.entry(start).or_default().insert(exit);
                    continue;
                }
            };
            found.fault(rule, format!("the exit point at {address:#x} {fault}"));
        }
    }
    Ok(exits)
}

/// For ARM state, or any other machine, and for Thumb.
type Decoders = [Decoder; 2];

/// Looks at the instructions of every section that is one.
fn bodies(
    image: &Image<'_>,
    decoders: &Decoders,
    descriptors: &BTreeMap<u64, Descriptor>,
    exits: &Exits,
    deny: &[Rule],
    found: &mut Found,
) -> Result<()> {
    let none = BTreeSet::new();
    let mut left = image.len;
    let (mut unrecorded, mut without) = (0, 0);
    let [no_exits, one_store] = [Rule::UnrecordedExit, Rule::EarlyStore].map(|rule| deny.contains(&rule));
    for section in descriptors.values() {
        let Descriptor { address, start, end, abort, .. } = *section;
        let body = if section.sound {
            left = left.checked_sub(end - start).ok_or(Error::Overlap("critical sections"))?;
            let decoder = &decoders[usize::from(section.thumb)];
            body::check(image, decoder, section, exits.get(&start).unwrap_or(&none))
        } else {
            Body::default()
        };
        let Body { faults, early, commit, ordered, unrecorded: out } = body;
        found.findings.extend(faults.iter().map(|(rule, fault)| section.finding(*rule, fault)));
        // Some libraries record no exits at all: their sections are noted, whatever else is linked into the file.
        if exits.contains_key(&start) || no_exits {
            let fault = |branch| format!("leaves by an unrecorded exit: {branch}");
            found.findings.extend(out.iter().map(|branch| section.finding(Rule::UnrecordedExit, &fault(branch))));
        } else if !out.is_empty() {
            (unrecorded, without) = (unrecorded + out.len(), without + 1);
        }
        if one_store && !early.is_empty() {
            let fault = format!("stores {} times before its commit", early.len());
            found.findings.push(section.finding(Rule::EarlyStore, &fault));
        }
        let release = ordered && commit.is_some();
        found.sections.push(Described {
            descriptor: address,
            start,
            end,
            abort,
            commit,
            release,
            repeated_stores: early,
        });
    }
    if unrecorded > 0 {
        let note = format!(
            "{unrecorded} branches out of sections, {without} of which record no exit points: debuggers cannot step \
             over"
        );
        found.notes.push(Finding::new(Rule::UnrecordedExit, note));
    }
    let early = found.sections.iter().filter(|section| !section.repeated_stores.is_empty()).count();
    if early > 0 && !one_store {
        let note = format!("{early} sections store before their commit: each such store has to bear repetition");
        found.notes.push(Finding::new(Rule::EarlyStore, note));
    }
    Ok(())
}

/// What DynamoRIO does not support, as far as it is asked for.
fn unsupported(
    image: &Image<'_>,
    decoders: &Decoders,
    descriptors: &BTreeMap<u64, Descriptor>,
    deny: &[Rule],
    found: &mut Found,
) {
    if descriptors.is_empty() || !Rule::DYNAMORIO.iter().any(|rule| deny.contains(rule)) {
        return;
    }
    if !dynamorio::runs_on(image.machine.isa) {
        let fault = format!("DynamoRIO does not run sections of {}", image.machine.name);
        return found
            .findings
            .extend(deny.contains(&Rule::OtherMachine).then(|| Finding::new(Rule::OtherMachine, fault)));
    }
    for section in descriptors.values().filter(|section| section.sound && section.is_short()) {
        let decoder = &decoders[usize::from(section.thumb)];
        // What is no instruction has been found before.
        let Ok(instructions) = body::instructions(image, decoder, section) else { continue };
        let faults = dynamorio::check(image.machine.isa, decoder, &instructions);
        let faults = faults.into_iter().filter(|(rule, _)| deny.contains(rule));
        found.findings.extend(faults.map(|(rule, fault)| section.finding(rule, &fault)));
    }
}

/// Looks at all code: sections and handlers begin with an instruction, and nothing branches into a section.
fn surroundings(
    image: &Image<'_>,
    decoders: &Decoders,
    descriptors: &BTreeMap<u64, Descriptor>,
    found: &mut Found,
) -> Result<()> {
    let sound = || descriptors.values().filter(|section| section.sound);
    if sound().next().is_none() {
        return Ok(());
    }
    let sought = Sought {
        begins: sound().flat_map(|section| [section.start, section.abort]).collect(),
        thumb: sound().any(|section| section.thumb),
        sections: sound().map(|section| (section.start, section.end)).collect(),
    };
    let swept = entry::sweep(image, &sought)?;
    for Descriptor { address, start, abort, .. } in sound() {
        for (what, place) in [("begins at", start), ("aborts to", abort)] {
            if !swept.begins.contains(place) {
                let fault =
                    format!("the descriptor at {address:#x} {what} {place:#x}, in the middle of an instruction");
                found.fault(Rule::NoBoundary, fault);
            }
        }
    }
    for section in sound() {
        let (decoder, before) = (&decoders[usize::from(section.thumb)], swept.before.get(&section.start));
        found.findings.extend(before.and_then(|&before| unarmed(image, decoder, section, before)));
    }
    for (start, text, from) in swept.enters {
        let fault = format!("the section at {start:#x} is entered after its start: `{text}` at {from:#x}");
        found.fault(Rule::Entered, fault);
    }
    Ok(())
}

/// What the instruction before a section is, if not the store that arms it. Everything that arms sections does so right
/// before their start; the descriptor's address may reach the area in any way, so that it is not looked at.
fn unarmed(image: &Image<'_>, decoder: &Decoder, section: &Descriptor, before: u64) -> Option<Finding> {
    let before = decoder.one(image.from(before)?, before)?;
    let arms = before.meaning.stores && !decoder.is_scratch(before.place(image.machine.isa));
    let fault = || format!("is not armed: `{}` before it stores to no area", before.text);
    (!arms).then(|| section.finding(Rule::Unarmed, &fault()))
}
