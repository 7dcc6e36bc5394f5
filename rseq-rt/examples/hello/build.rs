//! How the linker makes a static program without a libc.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_pie = env::var_os("CARGO_FEATURE_PIE").is_some();
    let arguments: &[&str] = if is_pie { &["-nostdlib", "-static-pie"] } else { &["-nostdlib", "-static", "-no-pie"] };
    for argument in arguments {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
