//! A section's instructions, one by one, and the rules for them.

use std::collections::BTreeSet;

use crate::code::{Decoder, Flow, Instruction};
use crate::descriptor::Descriptor;
use crate::image::Image;
use crate::rule::Rule;

/// The most instructions between a branch and the exit that it leads to.
const DETOUR: usize = 16;

/// What a section's instructions came to.
#[derive(Debug, Default)]
pub struct Body {
    /// What is wrong, as the end of a sentence that begins with the section.
    pub faults: Vec<(Rule, String)>,
    /// The stores before the commit.
    pub early: Vec<u64>,
    /// The text of the commit.
    pub commit: Option<String>,
    /// Whether the commit comes after all loads and stores before it.
    pub ordered: bool,
    /// Branches out that are not recorded.
    pub unrecorded: Vec<String>,
}

/// Checks the instructions of one section; `exits` are where it is recorded to leave to.
pub fn check(image: &Image<'_>, decoder: &Decoder, section: &Descriptor, exits: &BTreeSet<u64>) -> Body {
    let mut body = Body::default();
    if !section.is_short() {
        let length = section.end - section.start;
        body.faults.push((Rule::TooLong, format!("is {length} bytes long: too long to be looked at")));
        return body;
    }
    let instructions = match instructions(image, decoder, section) {
        Ok(instructions) => instructions,
        Err(fault) => {
            body.faults.push(fault);
            return body;
        }
    };
    flows(image, decoder, section, exits, &instructions, &mut body);
    stores(image, decoder, &instructions, &mut body);
    body
}

/// The section's instructions, by address.
pub fn instructions(
    image: &Image<'_>,
    decoder: &Decoder,
    section: &Descriptor,
) -> Result<Vec<Instruction>, (Rule, String)> {
    let mut instructions = Vec::new();
    let mut at = section.start;
    while at < section.end {
        let bytes = image.from(at).unwrap_or(&[]);
        let instruction = decoder.one(bytes, at);
        let instruction = instruction.ok_or_else(|| (Rule::Undecodable, format!("holds no instruction at {at:#x}")))?;
        at = at.saturating_add(instruction.len);
        if at > section.end {
            let fault = format!("ends at {:#x}, in the middle of `{}`", section.end, instruction.text);
            return Err((Rule::CutInstruction, fault));
        }
        if let Some(end) = decoder.island(&instruction) {
            // The delay slot after it, if there is one.
            if end > at {
                instructions.extend(decoder.one(image.from(at).unwrap_or(&[]), at));
            }
            at = end;
        }
        instructions.push(instruction);
    }
    instructions.sort_by_key(|instruction| instruction.address);
    Ok(instructions)
}

fn flows(
    image: &Image<'_>,
    decoder: &Decoder,
    section: &Descriptor,
    exits: &BTreeSet<u64>,
    instructions: &[Instruction],
    body: &mut Body,
) {
    let boundaries: BTreeSet<_> = instructions.iter().map(|instruction| instruction.address).collect();
    for (number, instruction) in instructions.iter().enumerate() {
        let Instruction { address, text, meaning, .. } = instruction;
        let target = match meaning.flow {
            Flow::Next => continue,
            Flow::Call(_) if decoder.island(instruction).is_some() => continue,
            Flow::Call(_) => {
                body.faults.push((Rule::Calls, format!("calls: `{text}` at {address:#x}")));
                continue;
            }
            Flow::System => {
                body.faults.push((Rule::SystemCall, format!("makes a system call: `{text}` at {address:#x}")));
                continue;
            }
            Flow::Jump(target) | Flow::Branch(target) => {
                target.or_else(|| decoder.far(&instructions[..=number], |address| image.word(address)))
            }
        };
        let Some(target) = target else {
            let fault = format!("has an indirect branch: `{text}` at {address:#x}");
            body.faults.push((Rule::UnknownTarget, fault));
            continue;
        };
        if (section.start..section.end).contains(&target) {
            if !boundaries.contains(&target) {
                let fault = format!("branches into the middle of an instruction: `{text}` at {address:#x}");
                body.faults.push((Rule::InnerBranch, fault));
            }
        } else if !leads_out(image, decoder, target, section.abort, exits) {
            body.unrecorded.push(format!("`{text}` at {address:#x}, to {target:#x}"));
        }
    }
}

/// Whether the target is one of the exits, or straight on leads to one: by a linker's veneer, or by instructions that
/// put registers back (the C code's copying sections leave like this). Who gives up by the section's own abort handler
/// leaves to where the descriptor says anyway.
fn leads_out(image: &Image<'_>, decoder: &Decoder, target: u64, abort: u64, exits: &BTreeSet<u64>) -> bool {
    let mut target = target;
    let mut path = Vec::new();
    // The abort handler is only reached by a jump: the signature precedes it.
    let mut jumped = true;
    for _ in 0..DETOUR {
        if exits.contains(&target) || (jumped && target == abort) {
            return true;
        }
        let Some(next) = image.from(target).and_then(|bytes| decoder.one(bytes, target)) else { return false };
        let (after, flow) = (target.saturating_add(next.len), next.meaning.flow);
        path.push(next);
        jumped = flow != Flow::Next;
        target = match flow {
            Flow::Next => after,
            Flow::Jump(to) => match to.or_else(|| decoder.far(&path, |address| image.word(address))) {
                Some(to) => to,
                None => return false,
            },
            _ => return false,
        };
    }
    false
}

fn stores(image: &Image<'_>, decoder: &Decoder, instructions: &[Instruction], body: &mut Body) {
    let isa = image.machine.isa;
    let Some((last, before)) = instructions.split_last() else { return };
    if !last.meaning.stores {
        let fault = format!("does not end with a store: `{}` at {:#x}", last.text, last.address);
        body.faults.push((Rule::NoCommit, fault));
        return;
    }
    if decoder.is_scratch(last.place(isa)) {
        let fault = format!("ends with a store to its own stack: `{}` at {:#x}", last.text, last.address);
        body.faults.push((Rule::StackCommit, fault));
    }
    // The same operand is the same place, as long as no register of it gets another value on the way.
    let mut same = true;
    for instruction in before.iter().rev() {
        let Instruction { address, text, meaning, .. } = instruction;
        if !meaning.stores {
            let register = instruction.written();
            let is_register = register.starts_with(|first: char| first.is_alphabetic() || "$%".contains(first));
            same &= !is_register || !last.place(isa).contains(register);
        } else if !decoder.is_scratch(instruction.place(isa)) {
            body.early.push(*address);
            if same && instruction.place(isa) == last.place(isa) {
                let fault = format!("stores where it commits to, before its commit: `{text}` at {address:#x}");
                body.faults.push((Rule::RepeatedCommit, fault));
            }
        }
    }
    body.early.reverse();
    body.ordered = image.machine.strong() || last.meaning.orders || follows_barrier(before);
    body.commit = Some(last.text.clone());
}

/// Whether a barrier is the last that touches memory.
fn follows_barrier(before: &[Instruction]) -> bool {
    let touches = |instruction: &&Instruction| {
        let Instruction { meaning, text, .. } = instruction;
        meaning.orders || meaning.stores || text.contains(['[', '('])
    };
    before.iter().rev().find(touches).is_some_and(|instruction| instruction.meaning.orders)
}
