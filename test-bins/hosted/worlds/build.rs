//! Links the shared object with the libc that it takes memcpy from: no other object brings it along in a namespace of
//! dlmopen(3).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-lc");
}
