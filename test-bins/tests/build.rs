//! Link arguments of the static binaries: no libc, no startup files, no interpreter, fixed addresses.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // `cc` and `ld.lld` both take these as they are.
    for argument in ["-nostdlib", "-static", "-no-pie"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    for script in ["rseq.ld", "static.ld"] {
        println!("cargo:rustc-link-arg-bins=-T{}", linker(script));
    }
    println!("cargo:rustc-link-arg-bin=far_handler_test=-T{}", linker("far.ld"));
}

/// The path of one of the repository's linker scripts.
fn linker(script: &str) -> String {
    let path = format!("{}/../../linker/{script}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rerun-if-changed={path}");
    path
}
