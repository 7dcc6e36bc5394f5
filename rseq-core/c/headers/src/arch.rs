//! Registers and constraints of each architecture, for `asm goto` in C.

/// Registers and constraints of an architecture.
pub struct Arch {
    /// The name in rseq-core.
    pub name: &'static str,
    /// The preprocessor condition that selects it.
    pub condition: &'static str,
    /// What librseq's headers define for it.
    pub names: &'static [&'static str],
    /// Temporary registers: the name in rseq-core's assembly, and the register.
    pub fixed: &'static [(&'static str, &'static str)],
    /// Registers for the section's scratch values.
    pub scratch: &'static [&'static str],
    /// The prefix of a register's name in assembly, and in a list of clobbers.
    pub sigil: (&'static str, &'static str),
    /// Further clobbers.
    pub clobbers: &'static [&'static str],
    /// The constraint of inputs.
    pub input: &'static str,
    /// Whether the area is addressed by its offset from the thread pointer, instead of its address.
    pub by_offset: bool,
    /// Bytes of a pointer.
    pub pointer: usize,
    /// Registers for the last inputs of sections with more than [`FREE_INPUTS`], on an architecture where compilers
    /// cannot allocate that many.
    pub bound: &'static [&'static str],
    /// Whether compilers place literal pools in the code, within the short range of their loads.
    pub has_literals: bool,
}

/// The number of inputs that compilers can allocate registers for on every architecture.
pub const FREE_INPUTS: usize = 7;

const fn arch(name: &'static str, condition: &'static str, names: &'static [&'static str]) -> Arch {
    Arch {
        name,
        condition,
        names,
        fixed: &[],
        scratch: &[],
        sigil: ("", ""),
        clobbers: &[],
        input: "r",
        by_offset: false,
        pointer: 8,
        bound: &[],
        has_literals: false,
    }
}

/// All architectures. The temporary registers differ from those that the kernel's `param_test` uses in injected code.
pub const ARCHES: [Arch; 9] = [
    Arch {
        fixed: &[("rseq_t", "rdx")],
        scratch: &["rcx", "rsi"],
        sigil: ("%%", ""),
        clobbers: &["rax"],
        by_offset: true,
        ..arch("x86_64", "defined(__x86_64__) && defined(__LP64__)", &["RSEQ_ARCH_X86"])
    },
    Arch {
        fixed: &[("rseq_t", "eax"), ("rseq_u", "edx")],
        scratch: &["ecx", "esi"],
        sigil: ("%%", ""),
        input: "m",
        pointer: 4,
        ..arch("i686", "defined(__i386__)", &["RSEQ_ARCH_X86"])
    },
    Arch {
        fixed: &[("rseq_t", "x15"), ("rseq_u", "x14")],
        scratch: &["x13", "x12"],
        clobbers: &["x16", "x17"],
        ..arch("aarch64", "defined(__aarch64__) && defined(__LP64__)", &["RSEQ_ARCH_AARCH64"])
    },
    Arch {
        fixed: &[("rseq_u", "r3")],
        scratch: &["r2", "r4"],
        clobbers: &["r12"],
        pointer: 4,
        // Neither registers that unoptimised Thumb code needs, nor a frame pointer.
        bound: &["r8", "r9", "r10", "lr"],
        has_literals: true,
        ..arch("arm", "defined(__arm__)", &["RSEQ_ARCH_ARM"])
    },
    Arch {
        fixed: &[("rseq_t", "t3"), ("rseq_u", "t4")],
        scratch: &["t5", "t6"],
        clobbers: &["t1", "t2"],
        ..arch("riscv64", "defined(__riscv) && __riscv_xlen == 64", &["RSEQ_ARCH_RISCV"])
    },
    Arch {
        fixed: &[("rseq_t", "r0"), ("rseq_u", "r2")], // no operation here has an address in rseq_t
        scratch: &["r3", "r4"],
        sigil: ("%%", ""),
        clobbers: &["r1"],
        input: "a",
        ..arch("s390x", "defined(__s390x__)", &["RSEQ_ARCH_S390", "RSEQ_ARCH_S390X"])
    },
    Arch {
        fixed: &[("rseq_t", "9"), ("rseq_u", "10")],
        scratch: &["8", "7"],
        sigil: ("", "r"),
        clobbers: &["r0", "r11", "r12", "cr0", "lr", "ctr"],
        input: "b",
        ..arch("powerpc64", "defined(__powerpc64__)", &["RSEQ_ARCH_PPC", "RSEQ_ARCH_PPC64"])
    },
    Arch {
        fixed: &[("rseq_t", "r13"), ("rseq_u", "r14")],
        scratch: &["r15", "r16"],
        sigil: ("$", "$"),
        clobbers: &["$r12"],
        ..arch("loongarch64", "defined(__loongarch64)", &[])
    },
    Arch {
        fixed: &[("rseq_t", "12"), ("rseq_u", "13"), ("rseq_ra", "15")],
        scratch: &["24", "25"],
        sigil: ("$", "$"),
        clobbers: &["$14"],
        ..arch("mips64", "defined(__mips64) && _MIPS_SIM == _ABI64", &["RSEQ_ARCH_MIPS"])
    },
];

impl Arch {
    /// The register for a name in rseq-core's assembly, unless the name is an input.
    pub fn register(&self, name: &str, scratch: &[&str]) -> Option<&'static str> {
        let fixed = self.fixed.iter().find(|(known, _)| *known == name).map(|(_, register)| *register);
        fixed.or_else(|| Some(self.scratch[scratch.iter().position(|known| *known == name)?]))
    }

    /// A register as written in assembly, in the width of a Rust modifier.
    pub fn text(&self, register: &str, modifier: &str) -> String {
        let name = match (self.name, modifier, register.strip_prefix('r').or(register.strip_prefix('e'))) {
            ("aarch64", "w", _) => register.replacen('x', "w", 1),
            ("x86_64", "e", Some(letters)) => format!("e{letters}"),
            ("x86_64" | "i686", "x", Some(letters)) => letters.to_owned(),
            ("x86_64" | "i686", "l", Some(letters)) => format!("{}l", &letters[..1]),
            _ => register.to_owned(),
        };
        format!("{}{name}", self.sigil.0)
    }

    /// The clobber list of a section with `scratch` scratch values, where `uses` is whether it uses a temporary
    /// register.
    pub fn changed(&self, scratch: usize, uses: impl Fn(&str) -> bool) -> Vec<String> {
        let fixed = self.fixed.iter().filter(|(name, _)| uses(name)).map(|(_, register)| *register);
        let own = fixed.chain(self.scratch[..scratch].iter().copied());
        let own = own.map(|register| format!("{}{register}", self.sigil.1));
        ["memory", "cc"].iter().chain(self.clobbers).map(|name| (*name).to_owned()).chain(own).collect()
    }

    /// GCC's operand modifier for a Rust modifier.
    pub fn modifier(&self, modifier: &str) -> &'static str {
        match (self.name, modifier) {
            ("x86_64" | "i686", "e") => "k",
            ("x86_64" | "i686", "x") => "w",
            ("x86_64" | "i686", "l") => "b",
            ("aarch64", "w") => "w",
            _ => "",
        }
    }
}
