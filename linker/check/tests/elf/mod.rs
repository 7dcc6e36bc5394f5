//! Small linked files with one critical section, for each architecture, right or with one fault.
//!
//! The section is: a conditional branch to the exit, a slot, the committing store. Before it stands the store that arms
//! it.

// Each test program uses its own part of this.
#![allow(dead_code)]

mod arches;

pub use arches::{ARCHES, Arch};

/// Where the file is loaded.
const BASE: u64 = 0x1_0000;
/// The bytes of the slot.
const SLOT: usize = 32;
/// The bytes of code in front of the section.
const FRONT: usize = 64;

/// What a file is to be like.
#[derive(Clone)]
pub struct Plan {
    pub arch: &'static Arch,
    /// What stands before the section, after no-operations.
    pub arming: Vec<u8>,
    /// What stands in the slot, in front of no-operations.
    pub slot: Vec<u8>,
    pub version: u32,
    pub flags: u32,
    /// Added to what would be right.
    pub start: i64,
    pub length: i64,
    pub abort: i64,
    /// Bytes by which the descriptor misses its alignment.
    pub misaligned: u64,
    /// Bytes by which the recorded exit misses the exit; None: the exits are recorded, but this one is not.
    pub exit: Option<i64>,
    /// Whether the exit that is recorded beside it is one of another section, which is not in the file.
    pub exits_of_others: bool,
    /// Which byte of the section a branch in front of it leads to.
    pub entered: Option<usize>,
    /// What stands at the exit, in front of no-operations.
    pub behind: Vec<u8>,
    /// The bytes of no-operations after that.
    pub tail: usize,
    /// Changes the signature.
    pub signature: u8,
    /// How often the array points to the descriptor.
    pub pointers: usize,
    /// Added to these pointers.
    pub pointer: u64,
    /// Added to the start of the section that the exit is recorded for.
    pub exit_of: u64,
    /// Whether there are arrays.
    pub arrays: bool,
    /// A section's name, and bytes to add to its recorded size.
    pub resized: Option<(&'static str, i64)>,
    /// Whether the addresses of the descriptor are only in relocations.
    pub relocated: bool,
    /// Mapping symbols: a name, and where from the section's start on.
    pub symbols: Vec<(&'static str, i64)>,
    /// Whether addresses have the bits that do not belong to them.
    pub state: bool,
    /// Whether the program begins where the section does.
    pub begins: bool,
}

impl Plan {
    /// A file without a fault.
    pub fn right(arch: &'static Arch) -> Self {
        Self {
            arch,
            arming: arch.elsewhere.to_vec(),
            slot: Vec::new(),
            version: 0,
            flags: 0,
            start: 0,
            length: 0,
            abort: 0,
            misaligned: 0,
            exit: Some(0),
            exits_of_others: false,
            entered: None,
            behind: Vec::new(),
            tail: 32,
            signature: 0,
            pointers: 1,
            pointer: 0,
            exit_of: 0,
            arrays: true,
            resized: None,
            relocated: false,
            symbols: Vec::new(),
            state: true,
            begins: false,
        }
    }

    /// The file.
    pub fn file(&self) -> Vec<u8> {
        File::new(self).finish()
    }

    /// The bits of its addresses that do not belong to them.
    fn state(&self) -> u64 {
        if self.state { self.arch.state } else { 0 }
    }

    /// The bytes of the section.
    pub fn length(&self) -> i64 {
        (self.arch.branch.len() + SLOT + self.arch.store.len()) as i64
    }
}

struct Listed {
    name: &'static str,
    kind: u32,
    flags: u64,
    offset: u64,
    size: u64,
}

struct File<'p> {
    plan: &'p Plan,
    bytes: Vec<u8>,
    listed: Vec<Listed>,
}

impl<'p> File<'p> {
    fn new(plan: &'p Plan) -> Self {
        let room = if plan.arch.wide { 64 + 56 } else { 52 + 32 };
        Self { plan, bytes: vec![0; room], listed: Vec::new() }
    }

    fn here(&self) -> u64 {
        BASE + self.bytes.len() as u64
    }

    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn section(&mut self, name: &'static str, kind: u32, flags: u64, bytes: &[u8]) {
        let (offset, size) = (self.bytes.len() as u64, bytes.len() as u64);
        self.bytes.extend(bytes);
        let more = self.plan.resized.filter(|(resized, _)| *resized == name).map_or(0, |(_, more)| more);
        self.listed.push(Listed { name, kind, flags, offset, size: size.wrapping_add_signed(more) });
    }

    fn half(&self, value: u16) -> Vec<u8> {
        if self.plan.arch.big { value.to_be_bytes().into() } else { value.to_le_bytes().into() }
    }

    fn word(&self, value: u32) -> Vec<u8> {
        if self.plan.arch.big { value.to_be_bytes().into() } else { value.to_le_bytes().into() }
    }

    fn quad(&self, value: u64) -> Vec<u8> {
        if self.plan.arch.big { value.to_be_bytes().into() } else { value.to_le_bytes().into() }
    }

    /// An address or an offset of the file's class.
    fn long(&self, value: u64) -> Vec<u8> {
        if self.plan.arch.wide { self.quad(value) } else { self.word(value as u32) }
    }

    fn finish(mut self) -> Vec<u8> {
        let Plan { arch, .. } = self.plan;
        self.align(32);
        let (text, start) = self.text();
        let exit = start + arch.distance;
        self.section(".text", 1, 6, &text);
        self.align(32);
        let handler = self.here() + (arch.prefix.len() + 4) as u64;
        let mut signature = arch.signature;
        signature[0] ^= self.plan.signature;
        let failure = [arch.prefix, &signature, arch.branch].concat();
        self.section("__rseq_failure", 1, 6, &failure);
        self.align(32);
        self.bytes.extend(vec![0; self.plan.misaligned as usize]);
        let descriptor = self.here();
        self.descriptor(start, handler);
        if self.plan.arrays {
            self.arrays(descriptor, start, exit);
        }
        self.symbols(start);
        self.headers(start)
    }

    /// A table of symbols without a type, and their names after it.
    fn symbols(&mut self, start: u64) {
        let (mut names, mut table) = (vec![0], vec![0; if self.plan.arch.wide { 24 } else { 16 }]);
        for (name, distance) in &self.plan.symbols {
            let (name_at, at) = (self.word(names.len() as u32), self.long(start.wrapping_add_signed(*distance)));
            names.extend(name.bytes().chain([0]));
            let (other, size) = ([vec![0; 2], self.half(1)].concat(), self.long(0));
            table.extend(match self.plan.arch.wide {
                true => [name_at, other, at, size].concat(),
                false => [name_at, at, size, other].concat(),
            });
        }
        self.align(8);
        self.section(".symtab", 2, 0, &table);
        self.section(".strtab", 3, 0, &names);
    }

    /// Code, and where the section begins in memory.
    fn text(&self) -> (Vec<u8>, u64) {
        let Plan { arch, arming, slot, .. } = self.plan;
        let mut text = Vec::new();
        let nops = |text: &mut Vec<u8>, to: usize| {
            while text.len() < to {
                text.extend(arch.nop);
            }
        };
        if let Some(byte) = self.plan.entered {
            nops(&mut text, FRONT + byte - arch.distance as usize);
            text.extend(arch.branch);
        }
        nops(&mut text, FRONT - arming.len());
        text.extend(arming);
        text.extend(arch.branch);
        text.extend(slot);
        nops(&mut text, FRONT + arch.branch.len() + SLOT);
        text.extend(arch.store);
        nops(&mut text, FRONT + arch.distance as usize);
        text.extend(&self.plan.behind);
        let end = text.len();
        nops(&mut text, end + self.plan.tail);
        (text, self.here() + FRONT as u64)
    }

    fn descriptor(&mut self, start: u64, handler: u64) {
        let plan = self.plan;
        let start = start.wrapping_add_signed(plan.start) + plan.state();
        let length = (plan.length() + plan.length - plan.start) as u64;
        let handler = handler.wrapping_add_signed(plan.abort) + plan.state();
        let at = self.here();
        let mut bytes = [self.word(plan.version), self.word(plan.flags)].concat();
        for word in [start, length, handler] {
            bytes.extend(self.quad(if plan.relocated && word != length { 0 } else { word }));
        }
        self.section("__rseq_cs", 1, 3, &bytes);
        if plan.relocated {
            // In a file of 32 bits with the high byte first, an address is the second half of its word.
            let half = if plan.arch.big && !plan.arch.wide { 4 } else { 0 };
            let entries = [(at + 8 + half, start), (at + 24 + half, handler)];
            let relocations = entries
                .map(|(place, to)| [self.long(place), self.long(plan.arch.relative.into()), self.long(to)].concat());
            self.align(8);
            self.section(".rela.dyn", 4, 2, &relocations.concat());
        }
    }

    fn arrays(&mut self, descriptor: u64, start: u64, exit: u64) {
        self.align(8);
        let pointers = self.quad(descriptor + self.plan.pointer).repeat(self.plan.pointers);
        self.section("__rseq_cs_ptr_array", 1, 3, &pointers);
        // A second record keeps the array there when the one that counts is left out.
        let state = self.plan.state();
        let other = start - 32 + state;
        let start = start.wrapping_add_signed(self.plan.start) + state;
        let owner = if self.plan.exits_of_others { start - 16 } else { start };
        let mut records = [self.quad(owner), self.quad(other)].concat();
        if let Some(shift) = self.plan.exit {
            let exit = exit.wrapping_add_signed(shift) + state;
            records.extend([self.quad(start + self.plan.exit_of), self.quad(exit)].concat());
        }
        self.section("__rseq_exit_point_array", 1, 3, &records);
    }

    fn headers(mut self, start: u64) -> Vec<u8> {
        let wide = self.plan.arch.wide;
        let mut names = vec![0];
        let mut offsets = Vec::new();
        for name in self.listed.iter().map(|listed| listed.name).chain([".shstrtab"]) {
            offsets.push(names.len() as u32);
            names.extend(name.bytes().chain([0]));
        }
        let loaded = self.bytes.len() as u64;
        self.section(".shstrtab", 3, 0, &names);
        self.align(8);
        let table = self.bytes.len() as u64;
        let mut headers = vec![0; if wide { 64 } else { 40 }];
        for (number, (listed, name)) in self.listed.iter().zip(offsets).enumerate() {
            let address = if listed.flags == 0 { 0 } else { BASE + listed.offset };
            let entry = match listed.kind {
                2 => 16 + 8 * u64::from(wide),
                4 => 12 + 12 * u64::from(wide),
                _ => 0,
            };
            headers.extend([self.word(name), self.word(listed.kind)].concat());
            for value in [listed.flags, address, listed.offset, listed.size] {
                headers.extend(self.long(value));
            }
            // A table's names are in the section after it, by its header's number.
            let link = if listed.kind == 2 { number as u32 + 2 } else { 0 };
            headers.extend([self.word(link), self.word(0)].concat());
            headers.extend([self.long(1), self.long(entry)].concat());
        }
        self.bytes.extend(headers);
        let head = [self.elf_header(table, start), self.segment(loaded)].concat();
        self.bytes[..head.len()].copy_from_slice(&head);
        self.bytes
    }

    fn elf_header(&self, table: u64, start: u64) -> Vec<u8> {
        let Arch { wide, big, machine, flags, .. } = *self.plan.arch;
        let mut header = b"\x7fELF".to_vec();
        header.extend([if wide { 2 } else { 1 }, if big { 2 } else { 1 }, 1]);
        header.resize(16, 0);
        let count = self.listed.len() as u16;
        header.extend([self.half(3), self.half(machine), self.word(1)].concat());
        let sizes: [u16; 4] = if wide { [64, 56, 1, 64] } else { [52, 32, 1, 40] };
        let entry = if self.plan.begins { start + self.plan.arch.state } else { 0 };
        header.extend([self.long(entry), self.long(sizes[0].into()), self.long(table), self.word(flags)].concat());
        header.extend(sizes.map(|size| self.half(size)).concat());
        header.extend([self.half(count + 1), self.half(count)].concat());
        header
    }

    fn segment(&self, len: u64) -> Vec<u8> {
        let [offset, address, size] = [0, BASE, len].map(|value| self.long(value));
        let (one, all, page) = (self.word(1), self.word(7), self.long(0x1000));
        match self.plan.arch.wide {
            true => [one, all, offset, address.clone(), address, size.clone(), size, page].concat(),
            false => [one, offset, address.clone(), address, size.clone(), size, all, page].concat(),
        }
    }
}
