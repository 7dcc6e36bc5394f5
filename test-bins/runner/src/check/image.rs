//! A linked file as it will lie in memory, relocations applied.

use super::machine::Machine;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, Object, ObjectSection, elf};
use std::collections::HashMap;

/// A part of memory that comes from the file.
struct Segment<'d> {
    address: u64,
    data: &'d [u8],
}

/// A section that matters: where it is, and whether code runs there.
#[derive(Debug, Clone)]
pub struct Section {
    pub name: String,
    pub address: u64,
    pub size: u64,
    pub executable: bool,
}

/// A file's memory.
pub struct Image<'d> {
    pub machine: Machine,
    pub sections: Vec<Section>,
    endian: Endianness,
    segments: Vec<Segment<'d>>,
    /// Words that the loader writes, by address, before the load bias is added: the bias of these images is 0.
    relocated: HashMap<u64, u64>,
}

/// The most sections, relocations and the like that a file may have: more is not a program.
const LIMIT: usize = 1 << 24;

impl<'d> Image<'d> {
    /// Reads a linked file.
    ///
    /// # Errors
    ///
    /// What it is instead.
    pub fn read(data: &'d [u8]) -> Result<Self, String> {
        let kind = object::FileKind::parse(data).map_err(|error| error.to_string())?;
        match kind {
            object::FileKind::Elf32 => Self::read_class::<elf::FileHeader32<Endianness>>(data),
            object::FileKind::Elf64 => Self::read_class::<elf::FileHeader64<Endianness>>(data),
            other => Err(format!("not an ELF file: {other:?}")),
        }
    }

    fn read_class<H: FileHeader<Endian = Endianness>>(data: &'d [u8]) -> Result<Self, String> {
        let header = H::parse(data).map_err(|error| error.to_string())?;
        let endian = header.endian().map_err(|error| error.to_string())?;
        if !matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN) {
            return Err("not linked: neither a program nor a shared object".into());
        }
        let file = object::File::parse(data).map_err(|error| error.to_string())?;
        let machine = Machine::of(file.architecture(), endian)
            .ok_or_else(|| format!("no machine with rseq: {:?}", file.architecture()))?;
        let mut image = Self {
            machine,
            sections: sections(&file)?,
            endian,
            segments: segments::<H>(header, endian, data)?,
            relocated: HashMap::new(),
        };
        image.relocate::<H>(header, data)?;
        Ok(image)
    }

    /// Bytes as they are in the file.
    pub fn bytes(&self, address: u64, len: usize) -> Option<&'d [u8]> {
        self.segments.iter().find_map(|segment| {
            let start = usize::try_from(address.checked_sub(segment.address)?).ok()?;
            segment.data.get(start..start.checked_add(len)?)
        })
    }

    pub fn u32(&self, address: u64) -> Option<u32> {
        let bytes = self.bytes(address, 4)?.try_into().ok()?;
        Some(if self.endian == Endianness::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// A word of 64 bits, as the loader leaves it.
    pub fn u64(&self, address: u64) -> Option<u64> {
        let bytes = self.bytes(address, 8)?.try_into().ok()?;
        let word =
            if self.endian == Endianness::Little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) };
        Some(self.relocated.get(&address).copied().unwrap_or(word))
    }

    /// The executable section that holds all of `start..end`.
    pub fn code(&self, start: u64, end: u64) -> Option<&Section> {
        let inside =
            |section: &&Section| section.address <= start && end <= section.address.saturating_add(section.size);
        self.sections.iter().filter(|section| section.executable).find(inside)
    }

    /// Applies what the loader of a position-independent file would.
    fn relocate<H: FileHeader<Endian = Endianness>>(&mut self, header: &H, data: &'d [u8]) -> Result<(), String> {
        let endian = self.endian;
        let relative = relative(header.e_machine(endian));
        let class = size_of::<H::Word>() as u64;
        let sections = header.sections(endian, data).map_err(|error| error.to_string())?;
        for section in sections.iter() {
            if let Ok(Some((entries, _))) = section.rela(endian, data) {
                for entry in entries.iter().take(LIMIT) {
                    use object::read::elf::Rela;
                    let (address, addend): (u64, i64) = (entry.r_offset(endian).into(), entry.r_addend(endian).into());
                    if Some(entry.r_type(endian, false)) == relative {
                        self.relocated.insert(self.widened(address, class), addend as u64);
                    }
                }
            }
            if let Ok(Some(entries)) = section.relr(endian, data) {
                for address in entries.take(LIMIT) {
                    let address: u64 = address.into();
                    // The addend is what the file holds there.
                    let word = if class == 8 { self.u64(address) } else { self.u32(address).map(u64::from) };
                    if let Some(word) = word {
                        self.relocated.insert(self.widened(address, class), word);
                    }
                }
            }
        }
        Ok(())
    }

    /// Where the 64-bit word begins whose low half is relocated in a 32-bit file.
    fn widened(&self, address: u64, class: u64) -> u64 {
        if class == 4 && self.endian == Endianness::Big { address.wrapping_sub(4) } else { address }
    }
}

fn sections(file: &object::File<'_>) -> Result<Vec<Section>, String> {
    let sections: Vec<_> = file
        .sections()
        .take(LIMIT)
        .filter_map(|section| {
            let object::SectionFlags::Elf { sh_flags } = section.flags() else { return None };
            (sh_flags & u64::from(elf::SHF_ALLOC) != 0).then(|| Section {
                name: section.name().unwrap_or("").to_owned(),
                address: section.address(),
                size: section.size(),
                executable: sh_flags & u64::from(elf::SHF_EXECINSTR) != 0,
            })
        })
        .collect();
    if sections.is_empty() { Err("no section headers to find critical sections by".into()) } else { Ok(sections) }
}

fn segments<'d, H: FileHeader<Endian = Endianness>>(
    header: &H,
    endian: Endianness,
    data: &'d [u8],
) -> Result<Vec<Segment<'d>>, String> {
    let headers = header.program_headers(endian, data).map_err(|error| error.to_string())?;
    let loaded = headers.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
    loaded
        .map(|segment| {
            let bytes = segment.data(endian, data).map_err(|()| "a segment lies outside of the file".to_owned())?;
            Ok(Segment { address: segment.p_vaddr(endian).into(), data: bytes })
        })
        .collect()
}

/// The relocation that adds the load address, by machine.
fn relative(machine: u16) -> Option<u32> {
    Some(match machine {
        elf::EM_X86_64 => elf::R_X86_64_RELATIVE,
        elf::EM_386 => elf::R_386_RELATIVE,
        elf::EM_AARCH64 => elf::R_AARCH64_RELATIVE,
        elf::EM_ARM => elf::R_ARM_RELATIVE,
        elf::EM_RISCV => elf::R_RISCV_RELATIVE,
        elf::EM_S390 => elf::R_390_RELATIVE,
        elf::EM_PPC64 => elf::R_PPC64_RELATIVE,
        elf::EM_PPC => elf::R_PPC_RELATIVE,
        elf::EM_LOONGARCH => elf::R_LARCH_RELATIVE,
        _ => return None,
    })
}
