//! Link arguments of the static binaries: no libc, no startup files, no interpreter, fixed addresses.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // `cc` and `ld.lld` both take these as they are.
    for argument in ["-nostdlib", "-static", "-no-pie"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
