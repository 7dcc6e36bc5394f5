//! A sweep over all code: where instructions begin, and which of them lead into the midst of a section.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Decoder;
use crate::image::{Image, Section};

/// What the sweep is to look for.
pub struct Sought {
    /// Addresses that should be instructions'.
    pub begins: BTreeSet<u64>,
    /// The sections' starts and ends.
    pub sections: BTreeMap<u64, u64>,
}

/// What it found.
#[derive(Debug, Default)]
pub struct Swept {
    /// Those of the addresses that are an instruction's.
    pub begins: BTreeSet<u64>,
    /// The start of a section, and the text and address of what leads into it.
    pub enters: Vec<(u64, String, u64)>,
}

/// Goes through all code.
///
/// # Errors
///
/// If sections with code lie in each other.
pub fn sweep(image: &Image<'_>, decoder: &Decoder, sought: &Sought) -> Result<Swept, String> {
    let mut swept = Swept::default();
    let mut left = image.len;
    for section in &image.code {
        let Some(bytes) = usize::try_from(section.size).ok().and_then(|len| image.bytes(section.address, len)) else {
            continue;
        };
        left = left.checked_sub(section.size).ok_or("sections with code lie in each other")?;
        for (start, end) in pieces(image, section) {
            let (from, to) = ((start - section.address) as usize, (end - section.address) as usize);
            piece(decoder, &bytes[from..to], start, sought, &mut swept);
        }
    }
    Ok(swept)
}

/// The parts of a section that begin with a function each: data between them leads no further astray.
fn pieces(image: &Image<'_>, section: &Section) -> Vec<(u64, u64)> {
    let from = image.functions.partition_point(|&address| address <= section.address);
    let to = image.functions.partition_point(|&address| address < section.end());
    let inside = image.functions.get(from..to).unwrap_or(&[]).iter().copied();
    let mut edges: Vec<_> = inside.chain([section.address, section.end()]).collect();
    edges.sort_unstable();
    edges.dedup();
    edges.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

fn piece(decoder: &Decoder, bytes: &[u8], start: u64, sought: &Sought, swept: &mut Swept) {
    decoder.each(bytes, start, &mut |instruction| {
        let address = instruction.address;
        if sought.begins.contains(&address) {
            swept.begins.insert(address);
        }
        if let Some(target) = instruction.meaning.flow.target()
            && let Some((&start, &end)) = sought.sections.range(..target).next_back()
            && target < end
            && !(start..end).contains(&address)
        {
            swept.enters.push((start, instruction.text(), address));
        }
        true
    });
}
