//! The memory that sections work in, and images of it for the interpreter.

use rseq_core::testing::{Fault, Memory};

/// Bytes for each pointer that a section takes.
pub const REGION: usize = rseq_core::testing::SectionIr::STRIDE;
/// The most pointers of a section.
pub const POINTERS: usize = 3;
/// Bytes of the arena.
pub const SIZE: usize = POINTERS * REGION;

const WORD: usize = size_of::<usize>();

/// Where the assembly works.
#[repr(C, align(64))]
pub struct Arena([u8; SIZE]);

impl Arena {
    pub fn new() -> Self {
        Self([0; SIZE])
    }

    pub fn address(&mut self) -> usize {
        (&raw mut self.0).expose_provenance()
    }

    pub fn fill(&mut self, image: &Image) {
        // SAFETY: the arena's own bytes. Volatile, because sections read them.
        unsafe { (&raw mut self.0).write_volatile(image.bytes) };
    }

    pub fn image(&mut self) -> Image {
        // SAFETY: the arena's own bytes. Volatile, because sections write them.
        Image { base: self.address(), bytes: unsafe { (&raw const self.0).read_volatile() } }
    }

    pub fn holds(&mut self, image: &Image) -> bool {
        self.image().bytes == image.bytes
    }
}

/// What the arena holds, for the interpreter.
#[derive(Clone)]
pub struct Image {
    base: usize,
    bytes: [u8; SIZE],
}

impl Image {
    /// An arena at `base` whose words `word` chooses.
    pub fn new(base: usize, mut word: impl FnMut() -> usize) -> Self {
        let mut bytes = [0; SIZE];
        bytes.chunks_exact_mut(WORD).for_each(|chunk| chunk.copy_from_slice(&word().to_ne_bytes()));
        Self { base, bytes }
    }

    /// The bytes as words.
    pub fn words(&self) -> [usize; SIZE / WORD] {
        core::array::from_fn(|i| usize::from_ne_bytes(core::array::from_fn(|at| self.bytes[i * WORD + at])))
    }

    fn place(&self, address: usize, bytes: usize) -> Result<core::ops::Range<usize>, Fault> {
        let start = address.wrapping_sub(self.base);
        let is_inside = start < SIZE && bytes <= SIZE - start;
        if is_inside { Ok(start..start + bytes) } else { Err(Fault::Outside(address)) }
    }
}

/// Which bytes of a word are its low ones.
fn low(bytes: usize) -> core::ops::Range<usize> {
    if cfg!(target_endian = "little") { 0..bytes } else { WORD - bytes..WORD }
}

impl Memory for Image {
    fn load(&self, address: usize, bytes: usize) -> Result<usize, Fault> {
        let place = self.place(address, bytes)?;
        let mut word = [0; WORD];
        word[low(bytes)].copy_from_slice(&self.bytes[place]);
        Ok(usize::from_ne_bytes(word))
    }

    fn store(&mut self, address: usize, bytes: usize, value: usize) -> Result<(), Fault> {
        let place = self.place(address, bytes)?;
        self.bytes[place].copy_from_slice(&value.to_ne_bytes()[low(bytes)]);
        Ok(())
    }
}
