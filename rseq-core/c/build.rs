//! Sets the soname of librseq, so that programs linked with librseq load this library, and links with the libc, which a
//! `no_std` library does not name as one that it needs. librseq has no symbol versions.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // musl has one libc in a process, which is loaded before any library.
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|libc| libc == "gnu") {
        println!("cargo::rustc-cdylib-link-arg=-lc");
    }
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,librseq.so.0");
}
