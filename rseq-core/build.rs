//! Sets `rseq_stub` if the target has no sections, which depends on more than a `cfg` can express.

use std::env;

/// Architectures whose system calls linux-raw-sys numbers; the crate builds for these, on every operating system.
const NUMBERED: [&str; 17] = [
    "aarch64",
    "arm",
    "loongarch64",
    "m68k",
    "mips",
    "mips32r6",
    "mips64",
    "mips64r6",
    "powerpc",
    "powerpc64",
    "riscv32",
    "riscv64",
    "s390x",
    "sparc",
    "sparc64",
    "x86",
    "x86_64",
];

/// Targets with instructions older than ARMv7, which lack `dmb`.
const OLD_ARM: [&str; 6] = ["arm-", "armv4", "armv5", "armv6", "thumbv4", "thumbv5"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(rseq_stub)");
    let arch = variable("CARGO_CFG_TARGET_ARCH");
    if !NUMBERED.contains(&arch.as_str()) {
        println!(
            "cargo::error=rseq-core does not build for {arch}, whose Linux system calls linux-raw-sys does not number"
        );
    } else if !has_sections(&arch) {
        println!("cargo::rustc-cfg=rseq_stub");
    }
}

/// Whether a file in `src/arch` is for this target.
fn has_sections(arch: &str) -> bool {
    let width = match arch {
        "aarch64" | "loongarch64" | "mips64" | "mips64r6" | "powerpc64" | "riscv64" | "s390x" | "x86_64" => "64",
        "arm" | "mips" | "powerpc" | "riscv32" | "x86" => "32",
        _ => return false,
    };
    let target = variable("TARGET");
    ["linux", "android"].contains(&variable("CARGO_CFG_TARGET_OS").as_str())
        // Not x32, n32 or ILP32, whose words are half as wide as those of sections.
        && variable("CARGO_CFG_TARGET_POINTER_WIDTH") == width
        && !(arch == "arm" && OLD_ARM.iter().any(|old| target.starts_with(old)))
}

/// What cargo sets for every build script.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}
