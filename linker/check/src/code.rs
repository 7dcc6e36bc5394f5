//! From bytes to the relevant properties of an instruction: where it leads, whether it stores, whether it orders.
//!
//! Capstone decodes the bytes; one file per architecture interprets its mnemonics. LoongArch, which Capstone 5 does not
//! support, has its own decoder for the relevant instructions, as do the instructions that release 6 of mips added.

mod aarch64;
mod arm;
mod loongarch;
mod mips;
mod mips_r6;
mod powerpc;
mod riscv;
mod s390x;
mod x86;

use capstone::{Arch, Capstone, Endian, ExtraMode, Mode};

use crate::error::{Error, Result};
use crate::isa::{Isa, Machine};

/// Where an instruction leads; None stands for an address that only a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    #[default]
    Next,
    Jump(Option<u64>),
    Branch(Option<u64>),
    Call(Option<u64>),
    /// Into the kernel.
    System,
}

impl Flow {
    /// The address that it names.
    pub fn target(self) -> Option<u64> {
        match self {
            Self::Jump(target) | Self::Branch(target) | Self::Call(target) => target,
            Self::Next | Self::System => None,
        }
    }
}

/// The properties of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meaning {
    pub flow: Flow,
    pub stores: bool,
    /// Keeps all loads and stores before it from being seen after later stores, or after its own.
    pub orders: bool,
}

impl Meaning {
    fn flow(flow: Flow) -> Self {
        Self { flow, ..Self::default() }
    }

    fn stores(stores: bool) -> Self {
        Self { stores, ..Self::default() }
    }
}

/// An instruction.
#[derive(Debug, Clone)]
pub struct Instruction {
    pub address: u64,
    pub len: u64,
    /// Its first four bytes, in the byte order of instructions.
    pub word: u32,
    /// As an assembler writes it.
    pub text: String,
    pub meaning: Meaning,
}

impl Instruction {
    /// The text of the operand that a store writes to.
    pub fn place(&self, isa: Isa) -> &str {
        let operands = self.text.split_once(' ').map_or("", |(_, operands)| operands);
        let (first, rest) = operands.split_once(", ").unwrap_or((operands, ""));
        if isa == Isa::X86 { first } else { rest }
    }

    /// The register that it gives a value, as a store's operand would name it.
    pub fn written(&self) -> &str {
        let operands = self.text.split_once(' ').map_or("", |(_, operands)| operands);
        operands.split_once(", ").map_or(operands, |(first, _)| first)
    }
}

/// An instruction that a sweep goes by.
pub struct Seen<'i> {
    pub address: u64,
    pub len: u64,
    pub word: u32,
    pub meaning: Meaning,
    mnemonic: &'i str,
    operands: &'i str,
}

impl Seen<'_> {
    /// As an assembler writes it.
    pub fn text(&self) -> String {
        format!("{} {}", self.mnemonic, self.operands).trim_end().to_owned()
    }
}

/// Takes code of one machine apart.
pub struct Decoder {
    machine: Machine,
    thumb: bool,
    engine: Option<Capstone>,
}

impl Decoder {
    /// For a machine; `thumb` for that state of an arm.
    ///
    /// # Errors
    ///
    /// Capstone's, if it was built without the architecture.
    pub fn new(machine: Machine, thumb: bool) -> Result<Self> {
        Self::with_stores(machine, thumb, true)
    }

    /// The same for sweeps, which do not ask what stores.
    pub fn for_flow(machine: Machine, thumb: bool) -> Result<Self> {
        Self::with_stores(machine, thumb, false)
    }

    fn with_stores(machine: Machine, thumb: bool, stores: bool) -> Result<Self> {
        let mode = |wide, narrow| if machine.wide { wide } else { narrow };
        let (arch, mode, extra): (_, _, &[ExtraMode]) = match machine.isa {
            Isa::X86 => (Arch::X86, mode(Mode::Mode64, Mode::Mode32), &[]),
            Isa::Aarch64 => (Arch::ARM64, Mode::Arm, &[]),
            Isa::Arm => (Arch::ARM, if thumb { Mode::Thumb } else { Mode::Arm }, &[ExtraMode::V8]),
            Isa::Riscv => (Arch::RISCV, mode(Mode::RiscV64, Mode::RiscV32), &[ExtraMode::RiscVC]),
            Isa::S390x => (Arch::SYSZ, Mode::Default, &[]),
            Isa::PowerPc => (Arch::PPC, mode(Mode::Mode64, Mode::Mode32), &[]),
            Isa::Mips | Isa::MipsR6 => (Arch::MIPS, mode(Mode::Mips64, Mode::Mips32), &[]),
            Isa::LoongArch => return Ok(Self { machine, thumb, engine: None }),
        };
        let endian = if machine.little_code { Endian::Little } else { Endian::Big };
        let engine = Capstone::new_raw(arch, mode, extra.iter().copied(), Some(endian));
        let mut engine = engine.map_err(Error::Disassembler)?;
        engine.set_detail(stores).map_err(Error::Disassembler)?;
        Ok(Self { machine, thumb, engine: Some(engine) })
    }

    /// The least distance between two instructions.
    pub fn step(&self) -> u64 {
        if self.thumb { 2 } else { self.machine.step() }
    }

    /// The instruction at the start of `bytes`.
    pub fn one(&self, bytes: &[u8], address: u64) -> Option<Instruction> {
        // No instruction is longer than 16 bytes.
        let bytes = &bytes[..bytes.len().min(16)];
        let mut found = None;
        self.each(bytes, address, &mut |seen| {
            found = Some(Instruction {
                address: seen.address,
                len: seen.len,
                word: seen.word,
                text: seen.text(),
                meaning: seen.meaning,
            });
            false
        });
        found.filter(|instruction| instruction.address == address)
    }

    /// Visits one instruction after the other, skipping what is not an instruction, until `visit` returns false.
    pub fn each(&self, bytes: &[u8], address: u64, visit: &mut dyn FnMut(Seen<'_>) -> bool) {
        match &self.engine {
            Some(engine) if self.machine.isa != Isa::MipsR6 => self.each_of_capstone(engine, bytes, address, visit),
            _ => self.each_word(bytes, address, visit),
        }
    }

    fn each_of_capstone(&self, engine: &Capstone, bytes: &[u8], address: u64, visit: &mut dyn FnMut(Seen<'_>) -> bool) {
        let Ok(mut instructions) = engine.disasm_iter(bytes, address) else { return };
        loop {
            // Capstone's decoder of s390x reads the first byte even if there is none.
            while let Some(raw) = (!instructions.code().is_empty()).then(|| instructions.next()).flatten() {
                let (mnemonic, operands) = (raw.mnemonic().unwrap_or(""), raw.op_str().unwrap_or(""));
                let (address, len) = (raw.address(), raw.len() as u64);
                let meaning = match self.machine.isa {
                    Isa::X86 => x86::meaning(mnemonic, operands, engine.insn_detail(&raw).ok()),
                    Isa::Aarch64 => aarch64::meaning(mnemonic, operands),
                    Isa::Arm => arm::meaning(mnemonic, operands),
                    Isa::Riscv => riscv::meaning(mnemonic, operands, address),
                    Isa::S390x => s390x::meaning(mnemonic, operands),
                    Isa::PowerPc => powerpc::meaning(mnemonic, operands),
                    Isa::Mips | Isa::MipsR6 => mips::meaning(mnemonic, operands),
                    Isa::LoongArch => Meaning::default(),
                };
                if !visit(Seen { address, len, word: self.word(raw.bytes()), mnemonic, operands, meaning }) {
                    return;
                }
            }
            // Capstone stops before what it does not support.
            let known = bytes.len() - instructions.code().len().min(bytes.len());
            let next = known.saturating_add(self.step() as usize);
            match bytes.get(next..) {
                Some(rest) if !rest.is_empty() => instructions.reset(rest, address.wrapping_add(next as u64)),
                _ => return,
            }
        }
    }

    fn each_word(&self, bytes: &[u8], address: u64, visit: &mut dyn FnMut(Seen<'_>) -> bool) {
        for (number, bytes) in bytes.chunks_exact(4).enumerate() {
            let (address, word) = (address.wrapping_add(4 * number as u64), self.word(bytes));
            let Some((text, meaning)) = self.decode(word, bytes, address) else { continue };
            let (mnemonic, operands) = text.split_once(' ').unwrap_or((&text, ""));
            if !visit(Seen { address, len: 4, word, mnemonic, operands, meaning }) {
                return;
            }
        }
    }

    /// Decodes a word, by this package's own decoders or else by Capstone.
    fn decode(&self, word: u32, bytes: &[u8], address: u64) -> Option<(String, Meaning)> {
        let Some(engine) = &self.engine else { return loongarch::decode(word, address) };
        mips_r6::decode(word, address).or_else(|| {
            let found = engine.disasm_count(bytes, address, 1).ok()?;
            let raw = found.first()?;
            let (mnemonic, operands) = (raw.mnemonic()?, raw.op_str().unwrap_or(""));
            Some((format!("{mnemonic} {operands}").trim_end().to_owned(), mips::meaning(mnemonic, operands)))
        })
    }

    fn word(&self, bytes: &[u8]) -> u32 {
        let mut word = [0; 4];
        let len = bytes.len().min(4);
        if self.machine.little_code {
            word[..len].copy_from_slice(&bytes[..len]);
            u32::from_le_bytes(word)
        } else {
            word[4 - len..].copy_from_slice(&bytes[..len]);
            u32::from_be_bytes(word)
        }
    }

    /// Where a jump by register at the end of `before` leads, if the instructions before it determine that.
    pub fn far(&self, before: &[Instruction], word_at: impl Fn(u64) -> Option<u32>) -> Option<u64> {
        match self.machine.isa {
            Isa::Riscv => riscv::far(before),
            Isa::LoongArch => loongarch::far(before),
            Isa::Mips | Isa::MipsR6 => mips::far(before, word_at),
            _ => None,
        }
    }

    /// The end of the data after an instruction that only looks like a call: it jumps over a constant to get its
    /// address.
    pub fn island(&self, instruction: &Instruction) -> Option<u64> {
        let Flow::Call(Some(target)) = instruction.meaning.flow else { return None };
        let (always, room) = match self.machine.isa {
            Isa::Mips | Isa::MipsR6 => (instruction.word >> 16 == 0x0411, 8..=16), // bal
            Isa::PowerPc => (instruction.word >> 16 == 0x429f || instruction.word >> 26 == 18, 4..=8), // bcl 20, 31; bl
            _ => return None,
        };
        if !always {
            return None;
        }
        room.contains(&target.checked_sub(instruction.address)?).then_some(target)
    }

    /// Whether a store to this place is private to the thread: its stack.
    pub fn is_scratch(&self, place: &str) -> bool {
        let stack: &[&str] = match self.machine.isa {
            Isa::X86 => &["[rsp", "[esp", "[rbp -", "[ebp -"],
            Isa::Aarch64 | Isa::Arm => &["[sp"],
            Isa::Riscv => &["(sp)"],
            Isa::S390x => &["%r15)"],
            Isa::PowerPc => &["(r1)"],
            Isa::Mips | Isa::MipsR6 => &["($sp)"],
            Isa::LoongArch => &["($r3,"],
        };
        stack.iter().any(|register| place.contains(register))
    }
}

/// The number that a list of operands ends with.
fn last_number(operands: &str) -> Option<u64> {
    let text = operands.rsplit(',').next()?.trim().trim_start_matches('#');
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let value = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None => text.parse().ok()?,
    };
    Some(if negative { value.wrapping_neg() } else { value })
}
