//! Names the shared object as librseq's is named, whose symbols have no versions.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,librseq.so.0");
}
