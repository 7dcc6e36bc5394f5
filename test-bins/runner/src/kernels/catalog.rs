//! The one table of machines and kernels: what QEMU emulates, and which Debian suites hold kernels for it.
//!
//! A kernel is named by the first two numbers of its version; the newest package that carries them is taken at `fetch`.
//! `.github/CONTRIBUTING.md` says what else a new kernel or architecture needs.

use super::machine::{Initramfs, Kernels, Machine, Numa, Target};

const BULLSEYE: &[&str] = &["bullseye"];
const BOOKWORM: &[&str] = &["bookworm"];
const BOOKWORM_BACKPORTS: &[&str] = &["bookworm-backports"];
const TRIXIE: &[&str] = &["trixie", "bookworm-backports"];
const TRIXIE_BACKPORTS: &[&str] = &["trixie-backports"];
const BACKPORTS_OR_NEWEST: &[&str] = &["trixie-backports", "sid", "forky"];
const NEWEST: &[&str] = &["sid", "forky"];

/// What Debian has for its two big architectures.
const MANY: Kernels = &[
    ("5.10", BULLSEYE),
    ("6.1", BOOKWORM),
    ("6.12", TRIXIE),
    ("6.16", TRIXIE_BACKPORTS),
    ("6.17", TRIXIE_BACKPORTS),
    ("6.18", TRIXIE_BACKPORTS),
    ("6.19", TRIXIE_BACKPORTS),
    ("7.0", TRIXIE_BACKPORTS),
    ("7.1", TRIXIE_BACKPORTS),
    ("7.2", BACKPORTS_OR_NEWEST),
    ("7.3", BACKPORTS_OR_NEWEST),
];
/// Those with PREEMPT_RT: one of each Debian release, and the newest.
const REAL_TIME: Kernels = &[("5.10", BULLSEYE), ("6.1", BOOKWORM), ("6.12", TRIXIE), ("7.3", BACKPORTS_OR_NEWEST)];
/// One kernel of each Debian release. Bullseye's mirrors hold the architectures of its long-term support only.
const STABLE: Kernels = &[("6.1", BOOKWORM), ("6.12", TRIXIE), ("7.2", NEWEST)];

const X86_64: Target = Target::new("x86_64", "x86_64-unknown-linux-gnu");
const I686: Target = Target::new("i686", "i686-unknown-linux-gnu");
const AARCH64: Target = Target::new("aarch64", "aarch64-unknown-linux-gnu");
const ARMV7: Target = Target::new("armv7", "armv7-unknown-linux-gnueabihf");
const RISCV64: Target = Target::new("riscv64", "riscv64gc-unknown-linux-gnu");
const S390X: Target = Target::new("s390x", "s390x-unknown-linux-gnu");
const POWERPC64LE: Target = Target::new("powerpc64le", "powerpc64le-unknown-linux-gnu");
const LOONGARCH64: Target = Target::new("loongarch64", "loongarch64-unknown-linux-gnu");
const MIPS64EL: Target = Target::new("mips64el", "mips64el-unknown-linux-gnuabi64");
const MIPS64R6EL: Target = Target::new("mips64r6el", "mipsisa64r6el-unknown-linux-gnuabi64");

/// What most machines have; the table below states the differences.
const MACHINE: Machine = Machine {
    name: "",
    debian: "",
    flavour: "",
    qemu: "",
    package: "",
    board: &[],
    kvm_board: &[],
    device_tree: "",
    initramfs: Initramfs::Board,
    console: "ttyS0",
    append: "",
    memory: 512,
    max_cpus: 8,
    gives_way: false,
    spinning_gives_way: false,
    numa: Numa::Cpus,
    hotplug_threads: 8,
    generic_entry: true,
    modules: &[],
    targets: &[],
    kernels: STABLE,
    variant: false,
};

const X86: Machine = Machine {
    name: "x86_64",
    debian: "amd64",
    flavour: "cloud-amd64",
    qemu: "qemu-system-x86_64",
    package: "qemu-system-x86",
    board: &["-M", "q35", "-cpu", "max"],
    // On a busy host an emulated timer may not tick ten times while a kernel for x86 looks, which then panics:
    // "IO-APIC + timer doesn't work!".
    append: "no_timer_check",
    modules: &["irqbypass", "kvm", "kvm-amd"],
    max_cpus: 64,
    gives_way: true,
    spinning_gives_way: true,
    targets: &[X86_64, I686],
    kernels: MANY,
    ..MACHINE
};

const ARM64: Machine = Machine {
    name: "aarch64",
    debian: "arm64",
    flavour: "cloud-arm64",
    qemu: "qemu-system-aarch64",
    package: "qemu-system-arm",
    board: &["-M", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"],
    kvm_board: &["-M", "virt,gic-version=3,virtualization=on", "-cpu", "max,pauth-impdef=on"],
    console: "ttyAMA0",
    max_cpus: 64,
    gives_way: true,
    targets: &[AARCH64, ARMV7],
    kernels: MANY,
    ..MACHINE
};

const ARM: Machine = Machine {
    name: "armv7",
    debian: "armhf",
    flavour: "armmp-lpae",
    qemu: "qemu-system-arm",
    package: "qemu-system-arm",
    board: &["-M", "virt", "-cpu", "cortex-a15"],
    console: "ttyAMA0",
    numa: Numa::None,
    generic_entry: false,
    targets: &[ARMV7],
    kernels: &[("5.10", BULLSEYE), ("6.1", BOOKWORM), ("6.12", TRIXIE), ("7.2", NEWEST)],
    ..MACHINE
};

const POWERPC: Machine = Machine {
    name: "powerpc64le",
    debian: "ppc64el",
    flavour: "powerpc64le",
    qemu: "qemu-system-ppc64",
    package: "qemu-system-ppc",
    board: &["-M", "pseries", "-cpu", "power9"],
    kvm_board: &["-M", "pseries,cap-nested-hv=on", "-cpu", "power9"],
    console: "hvc0",
    memory: 1024,
    modules: &["kvm", "kvm-hv"],
    gives_way: true,
    targets: &[POWERPC64LE],
    ..MACHINE
};

const MIPS: Machine = Machine {
    name: "mips64el",
    debian: "mips64el",
    flavour: "5kc-malta",
    qemu: "qemu-system-mips64el",
    package: "qemu-system-mips",
    board: &["-M", "malta", "-cpu", "MIPS64R2-generic"],
    // Moved by KASLR, 6.12 oopses when a system call meets a bad address.
    append: "nokaslr",
    max_cpus: 1,
    numa: Numa::None,
    targets: &[MIPS64EL],
    // The last suites with these boards.
    kernels: &[("6.1", BOOKWORM), ("6.12", BOOKWORM_BACKPORTS)],
    ..MACHINE
};

/// Every machine; a machine's own target stands first, then the 32-bit ones that its kernels run too.
pub const MACHINES: &[Machine] = &[
    X86,
    Machine { name: "x86_64-rt", flavour: "rt-amd64", targets: &[X86_64], kernels: REAL_TIME, variant: true, ..X86 },
    Machine {
        name: "i686",
        debian: "i386",
        flavour: "686-pae",
        qemu: "qemu-system-i386",
        max_cpus: 8,
        numa: Numa::None,
        targets: &[I686],
        kernels: &[("5.10", BULLSEYE), ("6.1", BOOKWORM), ("6.5", BOOKWORM_BACKPORTS)],
        ..X86
    },
    ARM64,
    Machine {
        name: "aarch64-16k",
        flavour: "arm64-16k",
        targets: &[AARCH64],
        kernels: &[("6.12", &["trixie"]), ("7.2", BACKPORTS_OR_NEWEST)],
        variant: true,
        ..ARM64
    },
    Machine {
        name: "aarch64-rt",
        flavour: "rt-arm64",
        targets: &[AARCH64],
        kernels: REAL_TIME,
        variant: true,
        ..ARM64
    },
    ARM,
    Machine {
        name: "armv7-rt",
        flavour: "rt-armmp",
        kernels: &[("5.10", BULLSEYE), ("6.1", BOOKWORM), ("6.12", TRIXIE)],
        variant: true,
        ..ARM
    },
    Machine {
        name: "riscv64",
        debian: "riscv64",
        flavour: "riscv64",
        qemu: "qemu-system-riscv64",
        package: "qemu-system-riscv",
        board: &["-M", "virt", "-cpu", "rv64"],
        modules: &["irqbypass", "kvm"],
        targets: &[RISCV64],
        kernels: &[("6.12", &["trixie"]), ("7.2", NEWEST)],
        ..MACHINE
    },
    Machine {
        name: "s390x",
        debian: "s390x",
        flavour: "s390x",
        qemu: "qemu-system-s390x",
        package: "qemu-system-s390x",
        board: &["-M", "s390-ccw-virtio", "-cpu", "max"],
        console: "ttysclp0",
        numa: Numa::None,
        // SIGP to a third CPU waits for one that waits for all of them.
        hotplug_threads: 2,
        gives_way: true,
        targets: &[S390X],
        ..MACHINE
    },
    POWERPC,
    Machine {
        name: "powerpc64le-64k",
        flavour: "powerpc64le-64k",
        kvm_board: &[],
        modules: &[],
        kernels: &[("6.12", BOOKWORM_BACKPORTS), ("7.2", NEWEST)],
        ..POWERPC
    },
    Machine {
        name: "loongarch64",
        debian: "loong64",
        flavour: "loong64",
        qemu: "qemu-system-loongarch64",
        package: "qemu-system-misc",
        board: &["-M", "virt", "-cpu", "max"],
        append: "initcall_blacklist=i8042_init",
        memory: 1024,
        targets: &[LOONGARCH64],
        kernels: &[("7.2", NEWEST)],
        ..MACHINE
    },
    MIPS,
    Machine {
        name: "mips64el-loongson3",
        flavour: "loongson-3",
        board: &["-M", "loongson3-virt", "-cpu", "Loongson-3A4000"],
        memory: 1024,
        ..MIPS
    },
    Machine {
        name: "mips64r6el",
        flavour: "mips64r6el",
        board: &["-M", "boston", "-cpu", "I6500"],
        device_tree: "boston.dtb",
        initramfs: Initramfs::At(0x0800_0000),
        memory: 1024,
        max_cpus: 8,
        // A timer that was masked after it had expired interrupts without end.
        hotplug_threads: 1,
        targets: &[MIPS64R6EL],
        kernels: &[("6.12", BOOKWORM_BACKPORTS)],
        ..MIPS
    },
];

/// The machine of this name.
pub fn find(name: &str) -> Option<&'static Machine> {
    MACHINES.iter().find(|machine| machine.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kernels::version::Version;

    #[test]
    fn names_are_unique_and_every_machine_is_whole() {
        let names: BTreeSet<_> = MACHINES.iter().map(|machine| machine.name).collect();
        assert_eq!(names.len(), MACHINES.len());
        for machine in MACHINES {
            let texts = [machine.debian, machine.flavour, machine.qemu, machine.package, machine.console];
            assert!(texts.iter().all(|text| !text.is_empty()), "{}", machine.name);
            assert!(!machine.targets.is_empty() && !machine.kernels.is_empty(), "{}", machine.name);
            assert!(machine.kernels.iter().all(|(_, suites)| !suites.is_empty()), "{}", machine.name);
        }
    }

    #[test]
    fn kernels_ascend_and_name_no_full_version() {
        for machine in MACHINES {
            let versions: Vec<_> = machine.kernels.iter().map(|(version, _)| Version::of(version)).collect();
            assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "{}", machine.name);
            assert!(machine.kernels.iter().all(|(version, _)| version.matches('.').count() == 1), "{}", machine.name);
        }
    }

    #[test]
    fn nine_architectures_are_there_and_a_second_mips() {
        let rust: BTreeSet<_> = MACHINES.iter().map(|machine| machine.targets[0].triple).collect();
        assert_eq!(rust.len(), 10);
    }

    #[test]
    fn registrations_are_of_the_kernels_generation() {
        let generations =
            ["6.1", "6.18", "6.19", "7.0", "7.3", "7.2-slice"].map(|line| find("x86_64").unwrap().generation(line));
        assert_eq!(generations, ["legacy", "legacy", "optimised", "v2", "v2", "v2"]);
        assert_eq!(find("armv7").unwrap().generation("7.2"), "legacy");
    }
}
