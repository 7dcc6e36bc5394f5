//! The signature of a machine's abort handlers, and its instruction set: stated here again, independently of the core,
//! so that neither hides the other's mistake. Source: `tools/testing/selftests/rseq/rseq-*.h` of Linux 7.2.

use object::{Endianness, elf};

/// An instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    X86,
    Aarch64,
    Arm,
    Riscv,
    S390x,
    PowerPc,
    LoongArch,
    Mips,
    /// Release 6, which changed the meaning of many words.
    MipsR6,
}

/// A machine with rseq.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// Its usual name.
    pub name: &'static str,
    /// Its instruction set.
    pub isa: Isa,
    /// Whether addresses have 64 bits.
    pub wide: bool,
    /// Whether instructions are stored with the low byte first.
    pub little_code: bool,
    /// The four bytes before an abort handler, in the order of memory.
    pub signature: [u8; 4],
    /// Bits of a code address that do not belong to it: Thumb's.
    pub mask: u64,
}

impl Machine {
    /// The machine of an ELF header's fields; None if rseq has no signature for it.
    pub fn of(machine: u16, wide: bool, endian: Endianness, flags: u32) -> Option<Self> {
        use Isa::*;
        let little = endian == Endianness::Little;
        let release_6 = matches!(flags & elf::EF_MIPS_ARCH, elf::EF_MIPS_ARCH_32R6 | elf::EF_MIPS_ARCH_64R6);
        let (name, isa, word, little_code) = match (machine, wide) {
            (elf::EM_X86_64, true) => ("x86_64", X86, 0x5305_3053_u32, true),
            (elf::EM_386, false) => ("i686", X86, 0x5305_3053, true),
            (elf::EM_AARCH64, true) => ("aarch64", Aarch64, 0xd428_bc00, true),
            (elf::EM_ARM, false) => ("arm", Arm, 0xe7f5_def3, little || flags & elf::EF_ARM_BE8 != 0),
            (elf::EM_RISCV, true) => ("riscv64", Riscv, 0xf140_1073, true),
            (elf::EM_RISCV, false) => ("riscv32", Riscv, 0xf140_1073, true),
            (elf::EM_S390, true) => ("s390x", S390x, 0xb2ff_0fff, false),
            (elf::EM_PPC64, true) => ("powerpc64", PowerPc, 0x0fe5_000b, little),
            (elf::EM_PPC, false) => ("powerpc", PowerPc, 0x0fe5_000b, little),
            (elf::EM_LOONGARCH, true) => ("loongarch64", LoongArch, 0x002a_0010, true),
            (elf::EM_MIPS, true) if release_6 => ("mips64r6", MipsR6, 0x0350_000d, little),
            (elf::EM_MIPS, false) if release_6 => ("mipsr6", MipsR6, 0x0350_000d, little),
            (elf::EM_MIPS, true) => ("mips64", Mips, 0x0350_000d, little),
            (elf::EM_MIPS, false) => ("mips", Mips, 0x0350_000d, little),
            _ => return None,
        };
        let signature = if little_code { word.to_le_bytes() } else { word.to_be_bytes() };
        Some(Self { name, isa, wide, little_code, signature, mask: if isa == Arm { 1 } else { 0 } })
    }

    /// Whether every store is a release without a further instruction.
    pub fn strong(&self) -> bool {
        matches!(self.isa, Isa::X86 | Isa::S390x)
    }

    /// The least distance between two instructions.
    pub fn step(&self) -> u64 {
        match self.isa {
            Isa::X86 => 1,
            Isa::Riscv | Isa::S390x => 2,
            _ => 4,
        }
    }
}
