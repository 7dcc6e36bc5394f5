//! Building the package `worlds/`, and C programs on it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A path in the package `worlds/`.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds/c").join(name)
}

/// Where this test's products are.
pub fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("worlds")
}

/// Runs a command that must succeed.
#[track_caller]
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Builds a package of this folder, and returns the directory of its products.
#[track_caller]
pub fn package(name: &str, options: &[&str]) -> PathBuf {
    let target = scratch();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--target-dir"]).arg(&target).args(options).env_remove("RUSTFLAGS");
    run(cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)));
    target.join(if options.contains(&"--release") { "release" } else { "debug" })
}

/// The static library and the shared object, built once.
pub fn library(file: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| package("worlds", &["--release"])).join(file)
}

/// A C program of eight threads.
pub fn threads(compiler: &str, flags: &[&str], name: &str) -> PathBuf {
    let archive = library("libworlds.a");
    let program = scratch().join(name);
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Werror", "-O2"]).args(flags).arg(source("threads.c")).arg("-o").arg(&program);
    run(command.arg(archive).args(["-ldl", "-lpthread"]));
    program
}
