//! Sets the soname of librseq, so that programs linked with librseq load this library. librseq has no symbol versions.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,librseq.so.0");
}
