//! One clear error for targets that this runtime has no start-up code for.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let width = match variable("CARGO_CFG_TARGET_ARCH").as_str() {
        "aarch64" | "loongarch64" | "mips64" | "mips64r6" | "powerpc64" | "riscv64" | "s390x" | "x86_64" => "64",
        "arm" | "riscv32" | "x86" => "32",
        _ => "none",
    };
    if variable("CARGO_CFG_TARGET_OS") != "linux" || variable("CARGO_CFG_TARGET_POINTER_WIDTH") != width {
        println!("cargo::error=rseq-rt starts no programs on {}: see src/backend for what it has", variable("TARGET"));
    }
}
