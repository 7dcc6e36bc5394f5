//! What a user's program is built for.

use anyhow::{Context, bail, ensure};
use object::Endianness;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};

/// The target's short name, of a static program.
pub fn target(bytes: &[u8]) -> anyhow::Result<&'static str> {
    match bytes.get(4) {
        Some(&elf::ELFCLASS64) => read::<elf::FileHeader64<Endianness>>(bytes),
        Some(&elf::ELFCLASS32) => read::<elf::FileHeader32<Endianness>>(bytes),
        _ => bail!("not an ELF file"),
    }
}

fn read<H: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> anyhow::Result<&'static str> {
    let header = H::parse(bytes).ok().context("not an ELF file")?;
    let endian = header.endian().ok().context("its byte order is unknown")?;
    let segments = header.program_headers(endian, bytes).ok().context("its program headers are damaged")?;
    let dynamic = segments.iter().any(|segment| segment.p_type(endian) == elf::PT_INTERP);
    ensure!(!dynamic, "it is linked dynamically, and guests have no libraries: link it statically");
    let little = endian == Endianness::Little;
    let machine = header.e_machine(endian);
    let release_6 = header.e_flags(endian) & elf::EF_MIPS_ARCH == elf::EF_MIPS_ARCH_64R6;
    match (machine, header.is_class_64(), little) {
        (elf::EM_X86_64, true, true) => Ok("x86_64"),
        (elf::EM_386, false, true) => Ok("i686"),
        (elf::EM_AARCH64, true, true) => Ok("aarch64"),
        (elf::EM_ARM, false, true) => Ok("armv7"),
        (elf::EM_RISCV, true, true) => Ok("riscv64"),
        (elf::EM_S390, true, false) => Ok("s390x"),
        (elf::EM_PPC64, true, true) => Ok("powerpc64le"),
        (elf::EM_LOONGARCH, true, true) => Ok("loongarch64"),
        (elf::EM_MIPS, true, true) if release_6 => Ok("mips64r6el"),
        (elf::EM_MIPS, true, true) => Ok("mips64el"),
        _ => bail!("no machine of the table runs it (ELF machine {machine})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_itself_is_dynamic_and_text_is_no_program() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(target(&own).unwrap_err().to_string().contains("dynamically"));
        assert!(target(b"#!/bin/sh\n").unwrap_err().to_string().contains("not an ELF file"));
        assert!(target(b"").is_err() && target(&own[..20]).is_err());
    }

    #[test]
    fn an_empty_static_program_is_known_by_its_header() {
        let mut bytes = vec![0; 64];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x02\x01");
        bytes[18..20].copy_from_slice(&elf::EM_S390.to_be_bytes());
        bytes[20..24].copy_from_slice(&1u32.to_be_bytes());
        bytes[54..56].copy_from_slice(&56u16.to_be_bytes());
        assert_eq!(target(&bytes).unwrap(), "s390x");
        bytes[5] = elf::ELFDATA2LSB;
        bytes[18..20].copy_from_slice(&elf::EM_MIPS.to_le_bytes());
        bytes[54..56].copy_from_slice(&56u16.to_le_bytes());
        assert_eq!(target(&bytes).unwrap(), "mips64el");
        bytes[48..52].copy_from_slice(&elf::EF_MIPS_ARCH_64R6.to_le_bytes());
        assert_eq!(target(&bytes).unwrap(), "mips64r6el");
        bytes[18..20].copy_from_slice(&elf::EM_VAX.to_be_bytes());
        assert!(target(&bytes).unwrap_err().to_string().contains("no machine"));
    }
}
