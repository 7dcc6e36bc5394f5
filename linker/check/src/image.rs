//! A linked file as it will be in memory, with relocations applied.
//!
//! Time and memory are bounded by the file's length, whatever its contents.

use std::collections::HashMap;

use object::read::elf::{FileHeader, ProgramHeader, Rela, SectionHeader, Sym};
use object::{Endianness, elf};

use crate::error::{Error, Result};
use crate::isa::Machine;
use crate::packed;

/// A part of memory that comes from the file.
struct Segment<'d> {
    address: u64,
    data: &'d [u8],
}

/// A relevant section, and its address.
#[derive(Debug, Clone)]
pub struct Section {
    pub name: String,
    pub address: u64,
    pub size: u64,
}

impl Section {
    pub fn end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }
}

/// What begins at an address, by the mapping symbols of arm, aarch64 and riscv, and by the addresses of arm's
/// functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    Code,
    Thumb,
    Data,
}

/// A file's memory.
pub struct Image<'d> {
    pub machine: Machine,
    /// The sections of rseq.
    pub sections: Vec<Section>,
    /// The sections with code, by address.
    pub code: Vec<Section>,
    /// Where functions begin, according to symbols.
    pub functions: Vec<u64>,
    /// Where code and data begin, according to symbols; by address.
    pub marks: Vec<(u64, Mark)>,
    /// Whether the program begins in Thumb state.
    thumb: bool,
    /// The file's length.
    pub len: u64,
    endian: Endianness,
    /// By address.
    segments: Vec<Segment<'d>>,
    /// Words that the loader writes, by address, before the load bias is added: the bias of these images is 0.
    relocated: HashMap<u64, u64>,
    /// Why packed relocations could not be read, if so.
    pub unread: Option<String>,
}

/// The most bytes of a section's name that are read.
const NAME: usize = 64;
/// The most sections of rseq: linkers make one of each name.
const SECTIONS: usize = 64;
/// Every section of rseq begins like this.
const PREFIX: &[u8] = b"__rseq_";

impl<'d> Image<'d> {
    /// Reads a linked file.
    ///
    /// # Errors
    ///
    /// What the file is instead.
    pub fn read(data: &'d [u8]) -> Result<Self> {
        match object::FileKind::parse(data)? {
            object::FileKind::Elf32 => Self::read_class::<elf::FileHeader32<Endianness>>(data),
            object::FileKind::Elf64 => Self::read_class::<elf::FileHeader64<Endianness>>(data),
            other => Err(Error::NotElf(other)),
        }
    }

    fn read_class<H: FileHeader<Endian = Endianness>>(data: &'d [u8]) -> Result<Self> {
        let header = H::parse(data)?;
        let endian = header.endian()?;
        if !matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN) {
            return Err(Error::NotLinked);
        }
        let number = header.e_machine(endian);
        let machine = Machine::of(number, header.is_class_64(), endian, header.e_flags(endian))
            .ok_or(Error::NoMachine(number))?;
        let (sections, code) = sections(header, endian, data)?;
        let (functions, marks) = symbols(header, endian, data, machine.mask)?;
        let mut image = Self {
            machine,
            sections,
            code,
            functions,
            marks,
            thumb: header.e_entry(endian).into() & machine.mask != 0,
            len: data.len() as u64,
            endian,
            segments: segments::<H>(header, endian, data)?,
            relocated: HashMap::new(),
            unread: None,
        };
        image.relocate::<H>(header, data)?;
        Ok(image)
    }

    /// The file's bytes from an address on, up to the end of its segment.
    pub fn from(&self, address: u64) -> Option<&'d [u8]> {
        let next = self.segments.partition_point(|segment| segment.address <= address);
        let segment = &self.segments[next.checked_sub(1)?];
        segment.data.get(usize::try_from(address - segment.address).ok()?..)
    }

    /// Bytes as they are in the file.
    pub fn bytes(&self, address: u64, len: usize) -> Option<&'d [u8]> {
        self.from(address)?.get(..len)
    }

    pub fn u32(&self, address: u64) -> Option<u32> {
        let bytes = self.bytes(address, 4)?.try_into().ok()?;
        Some(if self.endian == Endianness::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// A word among instructions, in their byte order.
    pub fn word(&self, address: u64) -> Option<u32> {
        let bytes = self.bytes(address, 4)?.try_into().ok()?;
        Some(if self.machine.little_code { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
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
        let next = self.code.partition_point(|section| section.address <= start);
        let section = &self.code[next.checked_sub(1)?];
        (start < section.end() && end <= section.end()).then_some(section)
    }

    /// What symbols place at an address of code.
    pub fn mark(&self, address: u64) -> Option<Mark> {
        let section = self.code(address, address)?;
        let next = self.marks.partition_point(|(begin, _)| *begin <= address);
        let (begin, mark) = self.marks[next.checked_sub(1)?];
        (begin >= section.address).then_some(mark)
    }

    /// Whether an address of code is Thumb's: according to symbols, or else as the program begins.
    pub fn is_thumb(&self, address: u64) -> bool {
        self.mark(address).map_or(self.thumb, |mark| mark == Mark::Thumb)
    }

    /// Applies what the loader of a position-independent file would, in rseq's sections. RELR and REL add the bias, 0
    /// here, to what the file holds, so they change nothing.
    fn relocate<H: FileHeader<Endian = Endianness>>(&mut self, header: &H, data: &'d [u8]) -> Result<()> {
        let endian = self.endian;
        let relative = relative(header.e_machine(endian));
        let class = size_of::<H::Word>() as u64;
        let sections = header.sections(endian, data)?;
        // The same section must not be read repeatedly under other names.
        let mut left = data.len();
        for section in sections.iter() {
            if section.sh_type(endian) == packed::SHT_ANDROID_RELA {
                let bytes = section.data(endian, data)?;
                left = left.checked_sub(bytes.len()).ok_or(Error::Overlap("relocations"))?;
                let each = &mut |entry: packed::Entry| {
                    if Some(entry.kind(class)) == relative && self.matters(entry.offset) {
                        self.relocated.insert(self.widened(entry.offset, class), entry.addend as u64);
                    }
                };
                if let Err(why) = packed::read(bytes, each) {
                    self.unread = Some(why.to_owned());
                }
            } else if let Ok(Some((entries, _))) = section.rela(endian, data) {
                left = left.checked_sub(entries.len()).ok_or(Error::Overlap("relocations"))?;
                for entry in entries {
                    let (address, addend): (u64, i64) = (entry.r_offset(endian).into(), entry.r_addend(endian).into());
                    if Some(entry.r_type(endian, false)) == relative && self.matters(address) {
                        self.relocated.insert(self.widened(address, class), addend as u64);
                    }
                }
            }
        }
        Ok(())
    }

    fn matters(&self, address: u64) -> bool {
        self.sections.iter().any(|section| (section.address..section.end()).contains(&address))
    }

    /// Where the 64-bit word begins whose low half is relocated in a 32-bit file.
    fn widened(&self, address: u64, class: u64) -> u64 {
        if class == 4 && self.endian == Endianness::Big { address.wrapping_sub(4) } else { address }
    }
}

/// The sections of rseq, and those with code.
fn sections<H: FileHeader<Endian = Endianness>>(
    header: &H,
    endian: Endianness,
    data: &[u8],
) -> Result<(Vec<Section>, Vec<Section>)> {
    let headers = header.section_headers(endian, data)?;
    if headers.is_empty() {
        return Err(Error::NoSectionHeaders);
    }
    let names = header.shstrndx(endian, data).ok().and_then(|index| headers.get(index as usize));
    let names = names.and_then(|section| section.data(endian, data).ok()).unwrap_or(&[]);
    let (mut rseq, mut code) = (Vec::new(), Vec::new());
    for section in headers {
        let flags: u64 = section.sh_flags(endian).into();
        let name = name(names, section.sh_name(endian));
        let executable = flags & u64::from(elf::SHF_EXECINSTR) != 0;
        let ours = name.starts_with(PREFIX);
        if flags & u64::from(elf::SHF_ALLOC) == 0 || !(ours || executable) {
            continue;
        }
        let name = String::from_utf8_lossy(name).into_owned();
        let section = Section { name, address: section.sh_addr(endian).into(), size: section.sh_size(endian).into() };
        let list = if executable { &mut code } else { &mut rseq };
        list.push(section);
    }
    if rseq.len() > SECTIONS {
        return Err(Error::TooManySections(rseq.len()));
    }
    code.sort_by_key(|section| section.address);
    Ok((rseq, code))
}

/// A name in a table of them.
fn name(names: &[u8], offset: u32) -> &[u8] {
    let name = names.get(offset as usize..).unwrap_or(&[]);
    let name = &name[..name.len().min(NAME)];
    name.split(|&byte| byte == 0).next().unwrap_or(&[])
}

/// Functions' addresses, and marks.
type Symbols = (Vec<u64>, Vec<(u64, Mark)>);

fn symbols<H: FileHeader<Endian = Endianness>>(
    header: &H,
    endian: Endianness,
    data: &[u8],
    mask: u64,
) -> Result<Symbols> {
    let sections = header.sections(endian, data)?;
    let (mut functions, mut marks) = (Vec::new(), Vec::new());
    for kind in [elf::SHT_SYMTAB, elf::SHT_DYNSYM] {
        let Ok(symbols) = sections.symbols(endian, data, kind) else { continue };
        let names = sections.section(symbols.string_section()).and_then(|section| section.data(endian, data));
        let names = names.unwrap_or(&[]);
        for symbol in symbols.iter() {
            let value: u64 = symbol.st_value(endian).into();
            if symbol.st_type() == elf::STT_FUNC {
                functions.push(value & !mask);
                if mask != 0 {
                    marks.push((value & !mask, if value & mask == 0 { Mark::Code } else { Mark::Thumb }));
                }
            } else if symbol.st_type() == elf::STT_NOTYPE {
                let name = name(names, symbol.st_name(endian));
                marks.extend(mark(name).map(|mark| (value, mark)));
            }
        }
    }
    functions.sort_unstable();
    functions.dedup();
    marks.sort_unstable();
    marks.dedup();
    Ok((functions, marks))
}

/// A mapping symbol's name: `$d`, or with what follows a dot.
fn mark(name: &[u8]) -> Option<Mark> {
    let (mark, rest) = name.strip_prefix(b"$")?.split_first()?;
    match mark {
        b'a' if rest.is_empty() || rest[0] == b'.' => Some(Mark::Code),
        b't' if rest.is_empty() || rest[0] == b'.' => Some(Mark::Thumb),
        b'd' if rest.is_empty() || rest[0] == b'.' => Some(Mark::Data),
        // riscv's continues with the extensions.
        b'x' => Some(Mark::Code),
        _ => None,
    }
}

fn segments<'d, H: FileHeader<Endian = Endianness>>(
    header: &H,
    endian: Endianness,
    data: &'d [u8],
) -> Result<Vec<Segment<'d>>> {
    let headers = header.program_headers(endian, data)?;
    let loaded = headers.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
    let segments = loaded.map(|segment| {
        let bytes = segment.data(endian, data).map_err(|()| Error::SegmentOutside)?;
        Ok(Segment { address: segment.p_vaddr(endian).into(), data: bytes })
    });
    let mut segments = segments.collect::<Result<Vec<_>>>()?;
    segments.sort_by_key(|segment| segment.address);
    Ok(segments)
}

/// The relocation that adds the load address, by machine; those of i386, arm and mips leave the address in the file.
fn relative(machine: u16) -> Option<u32> {
    Some(match machine {
        elf::EM_X86_64 => elf::R_X86_64_RELATIVE,
        elf::EM_AARCH64 => elf::R_AARCH64_RELATIVE,
        elf::EM_RISCV => elf::R_RISCV_RELATIVE,
        elf::EM_S390 => elf::R_390_RELATIVE,
        elf::EM_PPC64 => elf::R_PPC64_RELATIVE,
        elf::EM_PPC => elf::R_PPC_RELATIVE,
        elf::EM_LOONGARCH => elf::R_LARCH_RELATIVE,
        _ => return None,
    })
}
