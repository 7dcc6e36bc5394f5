//! Instructions of each architecture, in the order of memory, as `llvm-mc` encodes them (LoongArch: by the manual).

use object::elf;

pub struct Arch {
    pub name: &'static str,
    pub machine: u16,
    pub wide: bool,
    pub big: bool,
    pub flags: u32,
    /// Stands before the signature.
    pub prefix: &'static [u8],
    pub signature: [u8; 4],
    /// The relocation that adds the load address; 0: it leaves the address in the file.
    pub relative: u32,
    pub nop: &'static [u8],
    /// A conditional branch over `distance` bytes, from its own address on.
    pub branch: &'static [u8],
    pub distance: u64,
    /// A store to where one register points.
    pub store: &'static [u8],
    /// A store of another register to where another one points.
    pub elsewhere: &'static [u8],
    pub call: &'static [u8],
    pub system: &'static [u8],
    /// Orders all before it before later stores; empty where stores need none.
    pub barrier: &'static [u8],
    /// A barrier that does not order loads before it; empty where there is none.
    pub weaker: &'static [u8],
}

pub const ARCHES: &[Arch] = &[
    Arch {
        name: "x86_64",
        machine: elf::EM_X86_64,
        wide: true,
        big: false,
        flags: 0,
        prefix: &[0x0f, 0xb9, 0x3d],
        signature: [0x53, 0x30, 0x05, 0x53],
        relative: elf::R_X86_64_RELATIVE,
        nop: &[0x90],
        branch: &[0x75, 0x0c], // jne
        distance: 14,
        store: &[0x48, 0x89, 0x08],     // mov [rax], rcx
        elsewhere: &[0x48, 0x89, 0x13], // mov [rbx], rdx
        call: &[0xe8, 0x00, 0x00, 0x00, 0x00],
        system: &[0x0f, 0x05],
        barrier: &[],
        weaker: &[],
    },
    Arch {
        name: "i686",
        machine: elf::EM_386,
        wide: false,
        big: false,
        flags: 0,
        prefix: &[0x0f, 0xb9, 0x3d],
        signature: [0x53, 0x30, 0x05, 0x53],
        relative: 0,
        nop: &[0x90],
        branch: &[0x75, 0x0b],
        distance: 13,
        store: &[0x89, 0x08],     // mov [eax], ecx
        elsewhere: &[0x89, 0x13], // mov [ebx], edx
        call: &[0xe8, 0x00, 0x00, 0x00, 0x00],
        system: &[0xcd, 0x80],
        barrier: &[],
        weaker: &[],
    },
    Arch {
        name: "aarch64",
        machine: elf::EM_AARCH64,
        wide: true,
        big: false,
        flags: 0,
        prefix: &[],
        signature: [0x00, 0xbc, 0x28, 0xd4],
        relative: elf::R_AARCH64_RELATIVE,
        nop: &[0x1f, 0x20, 0x03, 0xd5],
        branch: &[0xa1, 0x00, 0x00, 0x54], // b.ne
        distance: 20,
        store: &[0x20, 0x00, 0x00, 0xf9],     // str x0, [x1]
        elsewhere: &[0x62, 0x00, 0x00, 0xf9], // str x2, [x3]
        call: &[0x02, 0x00, 0x00, 0x94],      // bl
        system: &[0x01, 0x00, 0x00, 0xd4],    // svc #0
        barrier: &[0xbf, 0x3b, 0x03, 0xd5],   // dmb ish
        weaker: &[0xbf, 0x3a, 0x03, 0xd5],    // dmb ishst
    },
    Arch {
        name: "arm",
        machine: elf::EM_ARM,
        wide: false,
        big: false,
        flags: 0x0500_0000,
        prefix: &[],
        signature: [0xf3, 0xde, 0xf5, 0xe7],
        relative: 0,
        nop: &[0x00, 0xf0, 0x20, 0xe3],
        branch: &[0x03, 0x00, 0x00, 0x1a], // bne
        distance: 20,
        store: &[0x00, 0x00, 0x81, 0xe5],     // str r0, [r1]
        elsewhere: &[0x00, 0x20, 0x83, 0xe5], // str r2, [r3]
        call: &[0x00, 0x00, 0x00, 0xeb],      // bl
        system: &[0x00, 0x00, 0x00, 0xef],    // svc #0
        barrier: &[0x5b, 0xf0, 0x7f, 0xf5],   // dmb ish
        weaker: &[0x5a, 0xf0, 0x7f, 0xf5],    // dmb ishst
    },
    Arch {
        name: "riscv64",
        machine: elf::EM_RISCV,
        wide: true,
        big: false,
        flags: 5,
        prefix: &[],
        signature: [0x73, 0x10, 0x40, 0xf1],
        relative: elf::R_RISCV_RELATIVE,
        nop: &[0x13, 0x00, 0x00, 0x00],
        branch: &[0x63, 0x1a, 0xb5, 0x00], // bne a0, a1
        distance: 20,
        store: &[0x23, 0xb0, 0xa5, 0x00],     // sd a0, 0(a1)
        elsewhere: &[0x23, 0x30, 0xd6, 0x00], // sd a3, 0(a2)
        call: &[0xef, 0x00, 0x80, 0x00],      // jal ra
        system: &[0x73, 0x00, 0x00, 0x00],    // ecall
        barrier: &[0x0f, 0x00, 0x10, 0x03],   // fence rw, w
        weaker: &[0x0f, 0x00, 0x10, 0x01],    // fence w, w
    },
    Arch {
        name: "s390x",
        machine: elf::EM_S390,
        wide: true,
        big: true,
        flags: 0,
        prefix: &[],
        signature: [0xb2, 0xff, 0x0f, 0xff],
        relative: elf::R_390_RELATIVE,
        nop: &[0x07, 0x00],                // nopr
        branch: &[0xa7, 0x74, 0x00, 0x0a], // jne
        distance: 20,
        store: &[0xe3, 0x30, 0x40, 0x00, 0x00, 0x24],     // stg %r3, 0(%r4)
        elsewhere: &[0xe3, 0x50, 0x60, 0x00, 0x00, 0x24], // stg %r5, 0(%r6)
        call: &[0xc0, 0xe5, 0x00, 0x00, 0x00, 0x04],      // brasl %r14
        system: &[0x0a, 0x00],                            // svc 0
        barrier: &[],
        weaker: &[],
    },
    Arch {
        name: "powerpc64",
        machine: elf::EM_PPC64,
        wide: true,
        big: false,
        flags: 2,
        prefix: &[],
        signature: [0x0b, 0x00, 0xe5, 0x0f],
        relative: elf::R_PPC64_RELATIVE,
        nop: &[0x00, 0x00, 0x00, 0x60],
        branch: &[0x14, 0x00, 0x82, 0x40], // bne
        distance: 20,
        store: &[0x00, 0x00, 0x64, 0xf8],     // std 3, 0(4)
        elsewhere: &[0x00, 0x00, 0xa6, 0xf8], // std 5, 0(6)
        call: &[0x01, 0x01, 0x00, 0x48],      // bl
        system: &[0x02, 0x00, 0x00, 0x44],    // sc
        barrier: &[0xac, 0x04, 0x20, 0x7c],   // lwsync
        weaker: &[0xac, 0x06, 0x00, 0x7c],    // eieio
    },
    Arch {
        name: "loongarch64",
        machine: elf::EM_LOONGARCH,
        wide: true,
        big: false,
        flags: 0x43,
        prefix: &[],
        signature: [0x10, 0x00, 0x2a, 0x00],
        relative: elf::R_LARCH_RELATIVE,
        nop: &[0x00, 0x00, 0x40, 0x03],
        branch: &[0x85, 0x14, 0x00, 0x5c], // bne $a0, $a1
        distance: 20,
        store: &[0xa4, 0x00, 0xc0, 0x29],     // st.d $a0, $a1, 0
        elsewhere: &[0xe6, 0x00, 0xc0, 0x29], // st.d $a2, $a3, 0
        call: &[0x00, 0x08, 0x00, 0x54],      // bl
        system: &[0x00, 0x00, 0x2b, 0x00],    // syscall 0
        barrier: &[0x12, 0x00, 0x72, 0x38],   // dbar 0x12
        weaker: &[0x1a, 0x00, 0x72, 0x38],    // dbar 0x1a
    },
    Arch {
        name: "mips64",
        machine: elf::EM_MIPS,
        wide: true,
        big: false,
        flags: 0x8000_0000,
        prefix: &[],
        signature: [0x0d, 0x00, 0x50, 0x03],
        relative: 0,
        nop: &[0x00, 0x00, 0x00, 0x00],
        branch: &[0x04, 0x00, 0x85, 0x14], // bne $4, $5
        distance: 20,
        store: &[0x00, 0x00, 0xa4, 0xfc],     // sd $4, 0($5)
        elsewhere: &[0x00, 0x00, 0xe6, 0xfc], // sd $6, 0($7)
        call: &[0x00, 0x04, 0x00, 0x0c],      // jal
        system: &[0x0c, 0x00, 0x00, 0x00],    // syscall
        barrier: &[0x0f, 0x00, 0x00, 0x00],   // sync
        weaker: &[],
    },
    Arch {
        name: "mips64r6",
        machine: elf::EM_MIPS,
        wide: true,
        big: false,
        flags: 0xa000_0000,
        prefix: &[],
        signature: [0x0d, 0x00, 0x50, 0x03],
        relative: 0,
        nop: &[0x00, 0x00, 0x00, 0x00],
        branch: &[0x04, 0x00, 0x85, 0x60], // bnec $4, $5
        distance: 20,
        store: &[0x00, 0x00, 0xa4, 0xfc],     // sd $4, 0($5)
        elsewhere: &[0x00, 0x00, 0xe6, 0xfc], // sd $6, 0($7)
        call: &[0x00, 0x01, 0x00, 0xe8],      // balc
        system: &[0x0c, 0x00, 0x00, 0x00],    // syscall
        barrier: &[0x0f, 0x00, 0x00, 0x00],   // sync
        weaker: &[],
    },
];
