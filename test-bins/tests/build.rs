//! Link arguments of the static binaries: no libc, no startup files, no interpreter; fixed addresses unless
//! `TEST_BINS_LINK` says otherwise, as `cargo run --release -- --static-pie` has it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=TEST_BINS_LINK");
    // `cc` and `ld.lld` both take these as they are.
    let link = std::env::var("TEST_BINS_LINK").unwrap_or_else(|_| "-static -no-pie".into());
    for argument in link.split(' ').chain(["-nostdlib"]) {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    for script in ["rseq.ld", "static.ld"] {
        println!("cargo:rustc-link-arg-bins=-T{}", linker(script));
    }
    println!("cargo:rustc-env=TEST_BINS_PROFILE={}", profile());
    println!("cargo:rustc-link-arg-bin=far_handler_test=-T{}", linker("far.ld"));
}

/// The name of the profile, by the directory that cargo gives: `target/PROFILE/build/PACKAGE/out`.
fn profile() -> String {
    let directory = std::env::var("OUT_DIR").expect("cargo names a directory");
    let profile = std::path::Path::new(&directory).ancestors().nth(3).and_then(|path| path.file_name());
    profile.expect("cargo's directories lie in that of the profile").to_string_lossy().into_owned()
}

/// The path of one of the repository's linker scripts.
fn linker(script: &str) -> String {
    let path = format!("{}/../../linker/{script}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rerun-if-changed={path}");
    path
}
