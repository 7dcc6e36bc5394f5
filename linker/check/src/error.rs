//! Why a file cannot be checked.

use std::io;

use object::FileKind;
use thiserror::Error;

/// Why a file cannot be checked: it is not a linked ELF file of a machine with rseq, or what it says of itself is not
/// so.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Reading it might never end.
    #[error("not a regular file")]
    NotRegular,
    /// It has so many bytes, more than are read.
    #[error("{0} bytes are too many")]
    TooLong(u64),
    /// It is not an object file, or its headers are damaged.
    #[error(transparent)]
    Object(#[from] object::Error),
    /// It is an object file of another format.
    #[error("not an ELF file: {0:?}")]
    NotElf(FileKind),
    /// It is not linked yet, or a core dump.
    #[error("not linked: neither a program nor a shared object")]
    NotLinked,
    /// rseq has no signature for this ELF machine.
    #[error("no machine with rseq: ELF machine {0}")]
    NoMachine(u16),
    /// It has been stripped of them.
    #[error("no section headers to find critical sections by")]
    NoSectionHeaders,
    /// It has so many sections of rseq.
    #[error("{0} sections of rseq: linkers make one of each name")]
    TooManySections(usize),
    /// A section of this name and length is longer than the file.
    #[error("{0}: {1} bytes are more than the file has")]
    SectionTooLong(String, u64),
    /// Nothing in the file is loaded to an address in a section.
    #[error("{0:#x} is in a section but not in the file")]
    NotInFile(u64),
    /// A segment's bytes are not in the file.
    #[error("a segment lies outside of the file")]
    SegmentOutside,
    /// What cannot share bytes does.
    #[error("{0} overlap")]
    Overlap(&'static str),
    /// Capstone was built without the file's architecture.
    #[error("the disassembler: {0}")]
    Disassembler(capstone::Error),
}

/// What comes of a file that can be checked.
pub type Result<T, E = Error> = std::result::Result<T, E>;
