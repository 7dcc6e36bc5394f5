//! The memory of the model: a region for each of two CPUs, and one for each thread's own words.

use core::fmt;
use core::hash::{Hash, Hasher};
use rseq_core::testing::{self, Fault};

pub const WORD: usize = size_of::<usize>();

/// Bytes of a region: the stride of the sections, so that a section finds the region of its CPU.
pub const REGION: usize = rseq_core::testing::SectionIr::STRIDE;

/// The thread whose section is interrupted, and two that run when it does not.
pub const ACTORS: usize = 3;

/// Two CPUs' regions, and one for each actor.
pub const SIZE: usize = (2 + ACTORS) * REGION;

#[derive(Clone, PartialEq, Eq)]
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

/// Of the bytes alone: most memory that differs does so in them.
impl Hash for Memory {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
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

impl testing::Memory for Memory {
    fn load(&self, address: usize, bytes: usize) -> Result<usize, Fault> {
        let offset = self.offset(address, bytes)?;
        let mut word = [0; WORD];
        for (at, byte) in low_bytes(&mut word, bytes).iter_mut().enumerate() {
            *byte = self.byte(address, offset + at)?;
        }
        Ok(usize::from_ne_bytes(word))
    }

    fn store(&mut self, address: usize, bytes: usize, value: usize) -> Result<(), Fault> {
        let offset = self.offset(address, bytes)?;
        self.bytes[offset..offset + bytes].copy_from_slice(low_bytes(&mut value.to_ne_bytes(), bytes));
        self.left_behind[offset..offset + bytes].fill(false);
        Ok(())
    }
}

/// The low bytes of a word, in the order that they have in memory.
fn low_bytes(word: &mut [u8; WORD], bytes: usize) -> &mut [u8] {
    if cfg!(target_endian = "little") { &mut word[..bytes] } else { &mut word[WORD - bytes..] }
}
