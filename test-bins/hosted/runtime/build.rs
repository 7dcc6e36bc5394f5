//! Link arguments of a static program, position-independent if `RUNTIME_LINK` says so, and one object of C.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/part.c");
    println!("cargo:rerun-if-env-changed=RUNTIME_LINK");
    let link = env::var("RUNTIME_LINK").unwrap_or_else(|_| "-static -no-pie".into());
    for argument in link.split(' ').chain(["-nostdlib"]) {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    let object = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("part.o");
    let flags = ["-c", "-O1", "-fPIE", "-ffreestanding", "-fstack-protector-all", "src/part.c", "-o"];
    let compiled = Command::new("cc").args(flags).arg(&object).status().expect("cc starts");
    assert!(compiled.success(), "cc: {compiled}");
    println!("cargo:rustc-link-arg-bins={}", object.display());
}
