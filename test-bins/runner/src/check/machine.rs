//! What a machine's abort handlers are signed with: stated again here, apart from the core, so that neither hides the other's
//! mistake. Source: `tools/testing/selftests/rseq/rseq-*.h` of Linux 7.2.

use object::{Architecture, Endianness};

/// A machine with rseq.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// What people call it.
    pub name: &'static str,
    /// The four bytes before an abort handler, in the order of memory.
    pub signature: [u8; 4],
    /// Bits of a code address that do not belong to it: Thumb's.
    pub mask: u64,
}

impl Machine {
    /// The machine of an ELF header; None if rseq knows no signature for it.
    pub fn of(architecture: Architecture, endian: Endianness) -> Option<Self> {
        let little = endian == Endianness::Little;
        // Words that are instructions of the machine are stored in the order of its instructions.
        let (name, word, instructions_little) = match architecture {
            Architecture::X86_64 => ("x86_64", 0x5305_3053_u32, true),
            Architecture::I386 => ("i686", 0x5305_3053, true),
            Architecture::Aarch64 => ("aarch64", 0xd428_bc00, true),
            Architecture::Arm => ("arm", 0xe7f5_def3, little),
            Architecture::Riscv64 => ("riscv64", 0xf140_1073, true),
            Architecture::Riscv32 => ("riscv32", 0xf140_1073, true),
            Architecture::S390x => ("s390x", 0xb2ff_0fff, false),
            Architecture::PowerPc64 => ("powerpc64", 0x0fe5_000b, little),
            Architecture::PowerPc => ("powerpc", 0x0fe5_000b, little),
            Architecture::LoongArch64 => ("loongarch64", 0x002a_0010, true),
            Architecture::Mips64 => ("mips64", 0x0350_000d, little),
            Architecture::Mips => ("mips", 0x0350_000d, little),
            _ => return None,
        };
        let signature = if instructions_little { word.to_le_bytes() } else { word.to_be_bytes() };
        let mask = if matches!(architecture, Architecture::Arm) { 1 } else { 0 };
        Some(Self { name, signature, mask })
    }
}
