//! Link arguments of a static program, position-independent if `RUNTIME_LINK` says so, and one object of C, or two if
//! it has the word `indirect`.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/part.c");
    println!("cargo:rerun-if-changed=src/indirect.c");
    println!("cargo:rerun-if-env-changed=RUNTIME_LINK");
    let link = env::var("RUNTIME_LINK").unwrap_or_else(|_| "-static -no-pie".into());
    for argument in link.split(' ').chain(["-nostdlib"]) {
        match argument {
            "indirect" => part("indirect"),
            _ => println!("cargo:rustc-link-arg-bins={argument}"),
        }
    }
    part("part");
}

/// Compiles and links a part in C.
fn part(name: &str) {
    let object = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join(name).with_extension("o");
    let flags = ["-c", "-O1", "-fPIE", "-ffreestanding", "-fstack-protector-all", "-o"];
    let compiled = Command::new("cc").args(flags).arg(&object).arg(format!("src/{name}.c")).status();
    let compiled = compiled.expect("cc starts");
    assert!(compiled.success(), "cc: {compiled}");
    println!("cargo:rustc-link-arg-bins={}", object.display());
}
