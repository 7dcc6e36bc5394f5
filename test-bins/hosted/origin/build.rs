//! How the linker makes a static program without a libc.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    ["-nostdlib", "-static", "-no-pie"].iter().for_each(|argument| println!("cargo::rustc-link-arg-bins={argument}"));
}
