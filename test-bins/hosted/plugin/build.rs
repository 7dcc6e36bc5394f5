//! Links the plugin so that `dlclose` leaves it in memory.
//!
//! A thread that has run one of its sections keeps a pointer to that section's descriptor, until the kernel has a look
//! at it, or another section runs. If the descriptor is not mapped any more, the kernel kills the process for it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_UNLOADABLE").is_none() {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
