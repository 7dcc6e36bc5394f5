//! The memory of the model: a region for each of two CPUs, and one for each thread's own words.

use core::fmt;

pub const WORD: usize = size_of::<usize>();

/// Bytes of a region: the stride of the sections, so that a section finds the region of its CPU.
pub const REGION: usize = rseq_core::section::Statement::STRIDE;

/// The thread whose section is interrupted, and two that run when it does not.
pub const ACTORS: usize = 3;

/// Two CPUs' regions, and one for each actor.
pub const SIZE: usize = (2 + ACTORS) * REGION;

/// What no right section does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An access beyond the memory, by this address.
    Outside(usize),
    /// A word at an address that is not one's.
    Misaligned(usize),
    /// A load of what an attempt that did not commit has stored there.
    LeftBehind(usize),
    /// A use of a register that nothing was put in since the section began.
    Undefined(&'static str),
    /// A change of a parameter, which the next attempt needs.
    Parameter(&'static str),
    /// No operand of the section.
    Unknown(&'static str),
}

#[derive(Clone)]
pub struct Memory {
    base: usize,
    bytes: [u8; SIZE],
    /// Which bytes an attempt that did not commit has stored.
    left_behind: [bool; SIZE],
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, region) in self.bytes.chunks(REGION).enumerate() {
            write!(f, "{:x}:", self.base + number * REGION)?;
            for word in region.chunks(WORD) {
                write!(f, " {:x}", usize::from_ne_bytes(word.try_into().expect("a word")))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Memory {
    pub fn new(base: usize) -> Self {
        Self { base, bytes: [0; SIZE], left_behind: [false; SIZE] }
    }

    pub fn bytes(&self) -> &[u8; SIZE] {
        &self.bytes
    }

    fn offset(&self, address: usize, length: usize) -> Result<usize, Fault> {
        let offset = address.wrapping_sub(self.base);
        if offset < SIZE && length <= SIZE - offset { Ok(offset) } else { Err(Fault::Outside(address)) }
    }

    fn word_offset(&self, address: usize) -> Result<usize, Fault> {
        if !address.is_multiple_of(WORD) {
            return Err(Fault::Misaligned(address));
        }
        self.offset(address, WORD)
    }

    pub fn load(&self, address: usize) -> Result<usize, Fault> {
        let offset = self.word_offset(address)?;
        let mut word = [0; WORD];
        for (at, byte) in word.iter_mut().enumerate() {
            *byte = self.byte(address, offset + at)?;
        }
        Ok(usize::from_ne_bytes(word))
    }

    pub fn store(&mut self, address: usize, word: usize) -> Result<(), Fault> {
        let offset = self.word_offset(address)?;
        self.bytes[offset..offset + WORD].copy_from_slice(&word.to_ne_bytes());
        self.left_behind[offset..offset + WORD].fill(false);
        Ok(())
    }

    pub fn copy_byte(&mut self, to: usize, from: usize) -> Result<(), Fault> {
        let byte = self.byte(from, self.offset(from, 1)?)?;
        let to = self.offset(to, 1)?;
        self.bytes[to] = byte;
        self.left_behind[to] = false;
        Ok(())
    }

    fn byte(&self, address: usize, offset: usize) -> Result<u8, Fault> {
        if self.left_behind[offset] { Err(Fault::LeftBehind(address)) } else { Ok(self.bytes[offset]) }
    }

    /// Says that an attempt which did not commit has stored `length` bytes at `address`.
    pub fn leave_behind(&mut self, address: usize, length: usize) {
        if let Ok(offset) = self.offset(address, length) {
            self.left_behind[offset..offset + length].fill(true);
        }
    }

    /// Whether both hold the same, apart from what attempts have left behind here.
    pub fn shows(&self, other: &Self) -> bool {
        self.bytes == other.bytes || (0..SIZE).all(|at| self.bytes[at] == other.bytes[at] || self.left_behind[at])
    }
}
