//! What sections are called with: edge values and random ones, by the names of their parameters.

use rseq_core::testing::{Parameter, SectionIr};

use crate::memory::{Image, POINTERS, REGION};

/// The most parameters of a section.
const PARAMETERS: usize = 8;

const TOP: usize = 1 << (usize::BITS - 1);

/// Literals that the sections compare with and their neighbours, signs of each size, carries across bytes.
const EDGES: [usize; 20] = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    199,
    200,
    255,
    0x8080_8080,
    0xffff_ffff,
    0x00ff_ff00,
    TOP,
    TOP - 1,
    TOP + 1,
    usize::MAX,
    usize::MAX - 7,
];

/// The same choices in every run.
pub struct Choices(u64);

impl Choices {
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// xorshift64.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn one_of(&mut self, values: &[usize]) -> usize {
        values[(self.next() >> 32) as usize % values.len()]
    }

    /// A word: one of four is random, one 0, the others edge values.
    fn word(&mut self) -> usize {
        match self.one_of(&[0, 1, 2, 3]) {
            0 => self.next() as usize,
            1 => 0,
            _ => self.one_of(&EDGES),
        }
    }
}

/// A word for each parameter.
pub struct Inputs {
    words: [usize; PARAMETERS],
    count: usize,
}

impl Inputs {
    /// Chooses them, and what the arena at `base` holds.
    pub fn choose(ir: &SectionIr, base: usize, cpu: u32, choices: &mut Choices) -> (Self, Image) {
        let mut inputs = Self { words: [0; PARAMETERS], count: ir.parameters.len() };
        let mut pointers = 0;
        for (word, parameter) in inputs.words.iter_mut().zip(ir.parameters) {
            *word = if parameter.pointer {
                pointers += 1;
                pointer(parameter, base + (pointers - 1) * REGION, cpu)
            } else {
                number(parameter, cpu, choices)
            };
        }
        assert!(pointers <= POINTERS, "{}: too many pointers", ir.name);
        (inputs, Image::new(base, || choices.word()))
    }

    pub fn words(&self) -> &[usize] {
        &self.words[..self.count]
    }
}

/// A region; where the section adds the index, so that this CPU's slot is there.
fn pointer(parameter: &Parameter, region: usize, cpu: u32) -> usize {
    match parameter.name {
        "base" | "other" => region.wrapping_sub(cpu as usize * REGION),
        _ => region,
    }
}

fn number(parameter: &Parameter, cpu: u32, choices: &mut Choices) -> usize {
    let cpu = cpu as usize;
    match parameter.name {
        // The upper half of the word takes no part.
        "cpu" => choices.one_of(&[cpu, cpu, cpu, cpu + 1]) | choices.word() & !(u32::MAX as usize),
        "len" => choices.one_of(&[0, cpu, cpu + 1, cpu + 2, usize::MAX]),
        // Bytes to copy, bytes to add to an address, words to add.
        "n" => choices.one_of(&[0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 24, REGION]),
        "i" => choices.one_of(&[0, 4, 8, 16]),
        "j" => choices.one_of(&[0, 1, 2]),
        _ => choices.word(),
    }
}
