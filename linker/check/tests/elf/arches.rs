//! Instructions of each architecture, in the order of memory, as `llvm-mc` encodes them (LoongArch: by the manual).

mod arm_family;
mod mips_family;
mod power_family;
mod x86_family;

use object::elf;

pub struct Arch {
    pub name: &'static str,
    pub machine: u16,
    pub wide: bool,
    pub big: bool,
    pub flags: u32,
    /// Added to addresses of code: 1 for Thumb.
    pub state: u64,
    /// Stands before the signature.
    pub prefix: &'static [u8],
    pub signature: [u8; 4],
    /// The relocation that adds the load address; 0: it leaves the address in the file.
    pub relative: u32,
    pub nop: &'static [u8],
    /// A conditional branch over `distance` bytes, from its own address on: to the second instruction after
    /// the section.
    pub branch: &'static [u8],
    pub distance: u64,
    /// A jump to itself.
    pub here: &'static [u8],
    /// Jumps to where a register or memory says.
    pub by_register: &'static [&'static [u8]],
    /// A store to where one register points.
    pub store: &'static [u8],
    /// A store of another register to where another one points.
    pub elsewhere: &'static [u8],
    /// Other ways to store.
    pub stores: &'static [&'static [u8]],
    /// Those that name memory first and only read it.
    pub reads: &'static [&'static [u8]],
    /// A store to the stack.
    pub stack: &'static [u8],
    /// Moves the register by which `store` stores.
    pub advance: &'static [u8],
    pub load: &'static [u8],
    pub calls: &'static [&'static [u8]],
    pub systems: &'static [&'static [u8]],
    /// Orders all before it before later stores; empty where stores need none.
    pub barrier: &'static [u8],
    /// A barrier that does not order loads before it; empty where there is none.
    pub weaker: &'static [u8],
}

pub const ARCHES: &[Arch] = &[
    x86_family::X86_64,
    x86_family::I686,
    arm_family::AARCH64,
    arm_family::ARM,
    arm_family::BE8,
    arm_family::THUMB,
    RISCV64,
    S390X,
    power_family::POWERPC64,
    power_family::POWERPC,
    mips_family::LOONGARCH64,
    mips_family::MIPS64,
    mips_family::MIPS64R6,
];

const RISCV64: Arch = Arch {
    name: "riscv64",
    machine: elf::EM_RISCV,
    wide: true,
    big: false,
    flags: 5,
    state: 0,
    prefix: &[],
    signature: [0x73, 0x10, 0x40, 0xf1],
    relative: elf::R_RISCV_RELATIVE,
    nop: &[0x01, 0x00],
    branch: &[0x63, 0x16, 0xb5, 0x02], // bne a0, a1
    distance: 44,
    here: &[0x6f, 0x00, 0x00, 0x00],
    by_register: &[&[0x82, 0x87], &[0x82, 0x80], &[0x67, 0x80, 0x07, 0x00]],
    store: &[0x23, 0xb0, 0xa5, 0x00],     // sd a0, 0(a1)
    elsewhere: &[0x23, 0x30, 0xd6, 0x00], // sd a3, 0(a2)
    stores: &[
        &[0x14, 0xe2],
        &[0x14, 0xc2],
        &[0x08, 0xa2],
        &[0x23, 0x00, 0xd6, 0x00],
        &[0x23, 0x10, 0xd6, 0x00],
        &[0xaf, 0x37, 0xd6, 0x00],
        &[0xaf, 0x37, 0xd6, 0x18],
    ],
    reads: &[],
    stack: &[0x36, 0xe4],
    advance: &[0xa1, 0x05],
    load: &[0x83, 0x37, 0x08, 0x00],
    calls: &[&[0xef, 0x00, 0x80, 0x00], &[0x82, 0x97], &[0xe7, 0x80, 0x07, 0x00]],
    systems: &[&[0x73, 0x00, 0x00, 0x00]],
    barrier: &[0x0f, 0x00, 0x10, 0x03], // fence rw, w
    weaker: &[0x0f, 0x00, 0x10, 0x01],  // fence w, w
};

const S390X: Arch = Arch {
    name: "s390x",
    machine: elf::EM_S390,
    wide: true,
    big: true,
    flags: 0,
    state: 0,
    prefix: &[],
    signature: [0xb2, 0xff, 0x0f, 0xff],
    relative: elf::R_390_RELATIVE,
    nop: &[0x07, 0x00],                // nopr
    branch: &[0xa7, 0x74, 0x00, 0x16], // jne
    distance: 44,
    here: &[0xa7, 0xf4, 0x00, 0x00],
    by_register: &[&[0x07, 0xfe], &[0x07, 0x7e], &[0x47, 0xf0, 0x10, 0x00]],
    store: &[0xe3, 0x30, 0x40, 0x00, 0x00, 0x24],     // stg %r3, 0(%r4)
    elsewhere: &[0xe3, 0x50, 0x60, 0x00, 0x00, 0x24], // stg %r5, 0(%r6)
    stores: &[
        &[0xd2, 0x07, 0x60, 0x00, 0x50, 0x00],
        &[0xe5, 0x48, 0x60, 0x00, 0x00, 0x01],
        &[0xd7, 0x07, 0x60, 0x00, 0x60, 0x00],
        &[0xeb, 0x01, 0x60, 0x00, 0x00, 0x7a],
        &[0xeb, 0x12, 0x60, 0x00, 0x00, 0x30],
        &[0xeb, 0x12, 0x60, 0x00, 0x00, 0xe8],
        &[0xeb, 0x12, 0x60, 0x00, 0x00, 0xf6],
        &[0xeb, 0x12, 0x60, 0x00, 0x00, 0xf7],
        &[0xeb, 0x12, 0x60, 0x00, 0x00, 0xf4],
        &[0x50, 0x50, 0x60, 0x00],
        &[0x42, 0x50, 0x60, 0x00],
        &[0xeb, 0x23, 0x60, 0x00, 0x00, 0x24],
        &[0x60, 0x00, 0x60, 0x00],
    ],
    reads: &[],
    stack: &[0xe3, 0x50, 0xf0, 0x08, 0x00, 0x24],
    advance: &[0xa7, 0x4b, 0x00, 0x08],
    load: &[0xe3, 0x70, 0x80, 0x00, 0x00, 0x04],
    calls: &[
        &[0xc0, 0xe5, 0x00, 0x00, 0x00, 0x04],
        &[0xa7, 0xe5, 0x00, 0x04],
        &[0x0d, 0xe1],
        &[0x4d, 0xe0, 0x10, 0x00],
    ],
    systems: &[&[0x0a, 0x00]],
    barrier: &[],
    weaker: &[],
};
