//! Link arguments of the static binaries: no libc, no startup files, no interpreter, fixed addresses.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../linker/static.ld");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={script}");
    // `cc` and `ld.lld` both take these as they are.
    for argument in ["-nostdlib", "-static", "-no-pie"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rustc-link-arg-bins=-T{script}");
}
