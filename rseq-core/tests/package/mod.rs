//! A package outside of the workspace, which a test builds.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of rseq-core.
pub const CORE: &str = env!("CARGO_MANIFEST_DIR");

/// Writes the package `name`: `manifest` follows the head of its Cargo.toml, which depends on rseq-core; `main` is its
/// program. Returns its folder.
pub fn write(name: &str, manifest: &str, main: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(dir.join("src")).expect("the target directory is writable");
    let head = format!("[package]\nname = {name:?}\nedition = \"2024\"\n\n[workspace]\n\n");
    let manifest = format!("{head}{manifest}[dependencies]\nrseq-core.path = {CORE:?}\n");
    fs::write(dir.join("Cargo.toml"), manifest).expect("the manifest is written");
    fs::write(dir.join("src/main.rs"), main).expect("the program is written");
    let lock = Path::new(CORE).join("../Cargo.lock");
    if lock.exists() {
        fs::copy(lock, dir.join("Cargo.lock")).expect("the lock file is copied");
    }
    dir
}
