//! Links again what tests link with the script, once the script has changed.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../linker/rseq.ld");
}
