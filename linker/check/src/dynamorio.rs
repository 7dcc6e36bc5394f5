//! What DynamoRIO wants of a section's instructions beyond the ABI. It runs a section twice: first without its stores,
//! for the tool that watches, then as it is, with the general-purpose registers put back. Sources: the section
//! "Restartable Sequence Instrumentation Constraints" of its manual, `core/unix/rseq_linux.c`.
//!
//! Instructions are taken in the order of their addresses, whatever branches there are.

use std::collections::BTreeSet;

use crate::code::{Decoder, Flow, Instruction};
use crate::isa::Isa;
use crate::rule::Rule;

/// Whether it supports sections on this instruction set.
pub fn runs_on(isa: Isa) -> bool {
    matches!(isa, Isa::X86 | Isa::Aarch64)
}

/// What it does not support, as the end of a sentence that begins with the section.
pub fn check(isa: Isa, decoder: &Decoder, instructions: &[Instruction]) -> Vec<(Rule, String)> {
    let mut faults = Vec::new();
    let mut inputs = Inputs::default();
    for (number, instruction) in instructions.iter().enumerate() {
        let Instruction { address, text, .. } = instruction;
        if has_side_effect(isa, instruction) {
            faults.push((Rule::SideEffect, format!("stores and changes a register: `{text}` at {address:#x}")));
        }
        if reads_back(isa, decoder, &instructions[..number], instruction) {
            faults.push((Rule::ReadBack, format!("reads where it has stored: `{text}` at {address:#x}")));
        }
        if let Some(input) = inputs.take(isa, instruction) {
            faults.push((Rule::OtherInput, format!("reads {input}, which it has not set: `{text}` at {address:#x}")));
        }
    }
    faults
}

/// An instruction's name without prefixes such as `lock`, and its operands.
fn parts(instruction: &Instruction) -> (&str, &str) {
    const PREFIXES: [&str; 7] = ["lock", "rep", "repe", "repne", "notrack", "xacquire", "xrelease"];
    let mut rest = instruction.text.as_str();
    loop {
        let (name, operands) = rest.split_once(' ').unwrap_or((rest, ""));
        if !PREFIXES.contains(&name) {
            return (name, operands);
        }
        rest = operands;
    }
}

fn starts(name: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| name.starts_with(start))
}

/// Whether it writes memory and a register, other than a new address to the address's register.
fn has_side_effect(isa: Isa, instruction: &Instruction) -> bool {
    let (name, operands) = parts(instruction);
    match isa {
        Isa::X86 if starts(name, &["push", "enter"]) => true,
        Isa::X86 => {
            let is_string = starts(name, &["movs", "stos", "ins"])
                && (operands.matches('[').count() == 2 || name.starts_with("stos"));
            let exchanges = starts(name, &["xchg", "xadd", "cmpxchg", "pop", "fstp", "fistp", "fisttp", "fbstp"]);
            instruction.meaning.stores && (is_string || exchanges)
        }
        // Exclusive stores have a status; of atomic instructions, `stadd` and its like have no result.
        Isa::Aarch64 => instruction.meaning.stores && (starts(name, &["stx", "stlx", "ld", "cas", "swp"])),
        _ => false,
    }
}

/// The address that an operand in brackets names.
fn address(operands: &str) -> Option<&str> {
    let (_, rest) = operands.split_once('[')?;
    rest.split_once(']').map(|(address, _)| address)
}

/// Whether an instruction reads an address that one of those before has stored to, by the same registers with the same
/// values.
fn reads_back(isa: Isa, decoder: &Decoder, before: &[Instruction], instruction: &Instruction) -> bool {
    let (name, operands) = parts(instruction);
    let only_writes =
        instruction.meaning.stores && (isa != Isa::X86 || name.starts_with("mov") || name.starts_with("vmov"));
    let touches_none = starts(name, &["lea", "nop", "prefetch", "prfm", "clflush", "clwb"]);
    let Some(place) = address(operands).filter(|_| !only_writes && !touches_none) else { return false };
    let mut same = before.iter().rev().take_while(|earlier| {
        let changes = !earlier.meaning.stores && names(place, earlier.written());
        !(changes || isa == Isa::Aarch64 && writes_back(earlier, place))
    });
    same.any(|earlier| {
        let stores = earlier.meaning.stores && !decoder.is_scratch(earlier.place(isa));
        stores && address(parts(earlier).1) == Some(place)
    })
}

/// Whether an address is made of this register.
fn names(place: &str, register: &str) -> bool {
    place.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == register)
}

/// Whether an instruction of aarch64 moves the register of its address, so that the same text is another place
/// afterwards.
fn writes_back(instruction: &Instruction, place: &str) -> bool {
    let (_, operands) = parts(instruction);
    let moves = operands.contains("]!") || operands.contains("], ");
    moves && address(operands).is_some_and(|moved| moved.split(',').next() == place.split(',').next())
}

/// The registers that a section has set, other than general-purpose ones.
#[derive(Default)]
struct Inputs {
    flags: bool,
    vectors: BTreeSet<String>,
}

impl Inputs {
    /// What an instruction reads without it having been set; each is named once.
    fn take(&mut self, isa: Isa, instruction: &Instruction) -> Option<String> {
        let (name, operands) = parts(instruction);
        if !self.flags && reads_flags(isa, instruction) {
            self.flags = true;
            return Some("flags".into());
        }
        self.flags |= sets_flags(isa, name);
        let mut input = None;
        let operands: Vec<_> = operands.split(", ").collect();
        let is_move = starts(name, &["mov", "vmov", "ld", "dup", "fmov", "cvt", "lddqu"]) || operands.len() > 2;
        let clears = starts(name, &["pxor", "xorp", "vpxor", "vxorp"])
            && operands.iter().rev().take(2).all(|each| each == operands.last().unwrap_or(each));
        for (number, operand) in operands.iter().enumerate() {
            let is_target = number == 0 && (is_move || clears) && !instruction.meaning.stores;
            for register in vectors(isa, operand) {
                let is_new = self.vectors.insert(register.clone());
                if is_new && !is_target && !clears {
                    input.get_or_insert(register);
                }
            }
        }
        input
    }
}

fn reads_flags(isa: Isa, instruction: &Instruction) -> bool {
    let (name, _) = parts(instruction);
    let is_branch = matches!(instruction.meaning.flow, Flow::Branch(_));
    match isa {
        Isa::X86 if is_branch => {
            !starts(name, &["jcxz", "jecxz", "jrcxz", "loop", "xbegin"]) || starts(name, &["loope", "loopne"])
        }
        Isa::X86 => starts(name, &["cmov", "set", "adc", "sbb", "rcl", "rcr", "pushf", "lahf"]),
        Isa::Aarch64 if is_branch => starts(name, &["b.", "bc."]),
        Isa::Aarch64 => {
            starts(name, &["cset", "csel", "csin", "csne", "cinc", "cinv", "cneg", "ccm", "adc", "sbc", "ngc", "fcsel"])
        }
        _ => false,
    }
}

fn sets_flags(isa: Isa, name: &str) -> bool {
    const X86: [&str; 34] = [
        "cmp", "test", "add", "sub", "and", "or", "xor", "inc", "dec", "neg", "sh", "sal", "sar", "bt", "bs", "xadd",
        "adc", "sbb", "mul", "imul", "div", "idiv", "popcnt", "tzcnt", "lzcnt", "comis", "ucomis", "vcomis", "vucomis",
        "ptest", "vptest", "andn", "bzhi", "bextr",
    ];
    const AARCH64: [&str; 10] = ["cmp", "cmn", "tst", "subs", "adds", "ands", "bics", "negs", "ccm", "fcmp"];
    match isa {
        Isa::X86 => {
            let is_vector = ["ps", "pd", "ss", "sd"].iter().any(|end| name.ends_with(end)) && !name.contains("comis");
            starts(name, &X86) && !is_vector && !starts(name, &["bswap", "sha"])
        }
        Isa::Aarch64 => starts(name, &AARCH64),
        _ => false,
    }
}

/// The vector and floating-point registers that an operand names, each by the same name whatever part of it is meant.
fn vectors(isa: Isa, operand: &str) -> Vec<String> {
    let words = operand.split(|letter: char| !letter.is_ascii_alphanumeric());
    let (before, starts): (_, &[&str]) = match isa {
        Isa::X86 => ("xmm", &["xmm", "ymm", "zmm"]),
        _ => ("v", &["v", "q", "d", "s", "h", "b", "z"]),
    };
    let number = |word: &str| {
        let rest = starts.iter().find_map(|start| word.strip_prefix(start))?;
        rest.parse::<u8>().ok().map(|number| format!("{before}{number}"))
    };
    words.filter_map(number).collect()
}
