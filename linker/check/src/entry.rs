//! A sweep over all code: where instructions begin, and which of them lead into the middle of a section.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Decoder;
use crate::error::{Error, Result};
use crate::image::{Image, Mark, Section};

/// What the sweep looks for.
pub struct Sought {
    /// Addresses that should be those of instructions.
    pub begins: BTreeSet<u64>,
    /// Whether code is Thumb where no symbol determines it.
    pub thumb: bool,
    /// The sections' starts and ends.
    pub sections: BTreeMap<u64, u64>,
}

/// The result of the sweep.
#[derive(Debug, Default)]
pub struct Swept {
    /// Those of the addresses where an instruction begins.
    pub begins: BTreeSet<u64>,
    /// For each of these, the address of the instruction that ends there.
    pub before: BTreeMap<u64, u64>,
    /// The start of a section, and the text and address of what leads into it.
    pub enters: Vec<(u64, String, u64)>,
}

/// Goes through all code.
///
/// # Errors
///
/// If sections with code overlap.
pub fn sweep(image: &Image<'_>, sought: &Sought) -> Result<Swept> {
    let decoders = [Decoder::for_flow(image.machine, false)?, Decoder::for_flow(image.machine, true)?];
    let mut swept = Swept::default();
    let mut last = None;
    let mut left = image.len;
    for section in &image.code {
        let Some(bytes) = usize::try_from(section.size).ok().and_then(|len| image.bytes(section.address, len)) else {
            continue;
        };
        left = left.checked_sub(section.size).ok_or(Error::Overlap("sections with code"))?;
        for (start, end) in pieces(image, section) {
            let (from, to) = ((start - section.address) as usize, (end - section.address) as usize);
            let thumb = match image.mark(start) {
                Some(Mark::Data) => continue,
                Some(mark) => mark == Mark::Thumb,
                None => sought.thumb,
            };
            piece(&decoders[usize::from(thumb)], &bytes[from..to], start, sought, &mut last, &mut swept);
        }
    }
    Ok(swept)
}

/// The parts of a section that begin with a function or a mark each, so that data between them misleads the decoder no
/// further.
fn pieces(image: &Image<'_>, section: &Section) -> Vec<(u64, u64)> {
    let inside = section.address..section.end();
    let functions = image.functions.iter().skip(image.functions.partition_point(|&address| address < inside.start));
    let marks = image.marks.iter().skip(image.marks.partition_point(|(address, _)| *address < inside.start));
    let functions = functions.copied().take_while(|address| inside.contains(address));
    let marks = marks.map(|(address, _)| *address).take_while(|address| inside.contains(address));
    let mut edges: Vec<_> = functions.chain(marks).chain([inside.start, inside.end]).collect();
    edges.sort_unstable();
    edges.dedup();
    edges.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// `last`: where the instruction before begins and ends.
fn piece(
    decoder: &Decoder,
    bytes: &[u8],
    start: u64,
    sought: &Sought,
    last: &mut Option<(u64, u64)>,
    swept: &mut Swept,
) {
    decoder.each(bytes, start, &mut |instruction| {
        let address = instruction.address;
        let before = last.replace((address, address.saturating_add(instruction.len)));
        if sought.begins.contains(&address) {
            swept.begins.insert(address);
            swept.before.extend(before.filter(|(_, end)| *end == address).map(|(before, _)| (address, before)));
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
