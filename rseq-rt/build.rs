//! Which start-up code this target has, and one clear error where there is none.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    println!("cargo::rustc-check-cfg=cfg(rseq_rt_origin)");
    let variable = |name: &str| env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let arch = variable("CARGO_CFG_TARGET_ARCH");
    if env::var_os("CARGO_FEATURE_ORIGIN").is_some() && depends_on_origin(&arch) {
        println!("cargo::rustc-cfg=rseq_rt_origin");
    }
    let width = match arch.as_str() {
        "aarch64" | "loongarch64" | "mips64" | "mips64r6" | "powerpc64" | "riscv64" | "s390x" | "x86_64" => "64",
        "arm" | "riscv32" | "x86" => "32",
        _ => "none",
    };
    if variable("CARGO_CFG_TARGET_OS") != "linux" || variable("CARGO_CFG_TARGET_POINTER_WIDTH") != width {
        println!("cargo::error=rseq-rt starts no programs on {}: see src/backend for what it has", variable("TARGET"));
    }
}

/// Whether the manifest has origin as a dependency on this architecture: the condition there is the one list of them.
fn depends_on_origin(arch: &str) -> bool {
    let mut tables = include_str!("Cargo.toml").lines().filter(|line| line.starts_with("[target."));
    tables.any(|table| table.contains(&format!("target_arch = \"{arch}\"")))
}
