//! Building the library.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use fs_err::os::unix::fs::symlink;

use crate::build::toolchain::{self, Way};
use crate::kernels::machine::Target;
use crate::process::succeed;
use crate::workspace;

/// The name that programs find the shared object by.
const SONAME: &str = "librseq.so.0";

/// Whose `rseq_available` the library has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// With a query.
    Librseq,
    /// Without a parameter, as in the kernel's selftests.
    Kernel,
}

/// cargo for the package of the library, which is no member of the workspace.
pub fn cargo(root: &Path, command: &str) -> anyhow::Result<Command> {
    let mut cargo = workspace::cargo();
    cargo.arg(command).arg("--manifest-path").arg(root.join("rseq-core/c/Cargo.toml"));
    cargo.arg("--target-dir").arg(workspace::target_dir(root)?.join("c"));
    Ok(cargo)
}

/// Builds the library, and puts `librseq.a`, `librseq.so` and what programs find that by into a folder.
pub fn build(root: &Path, flavour: Flavour, folder: &Path) -> anyhow::Result<()> {
    let mut cargo = cargo(root, "build")?;
    cargo.args(["--release", "--package", "rseq-c"]);
    if flavour == Flavour::Kernel {
        cargo.args(["--features", "kernel"]);
    }
    succeed(&mut cargo)?;
    let built = workspace::target_dir(root)?.join("c/release");
    fs::create_dir_all(folder)?;
    for (from, to) in [("librseq.a", "librseq.a"), ("librseq.so", "librseq.so.0.0.0")] {
        replace(&built.join(from), &folder.join(to))?;
    }
    link("librseq.so.0.0.0", &folder.join(SONAME))?;
    link(SONAME, &folder.join("librseq.so"))
}

/// Builds the static library of the kernel's flavour for an architecture; returns its folder.
pub fn build_for(root: &Path, target: &Target) -> anyhow::Result<PathBuf> {
    let way = toolchain::find(target)?;
    if way == Way::Native {
        let folder = workspace::target_dir(root)?.join("suites/lib");
        return build(root, Flavour::Kernel, &folder).map(|()| folder);
    }
    let directory = workspace::target_dir(root)?.join("c-cross");
    let mut cargo = workspace::cargo();
    cargo.args(["rustc", "--release", "--package", "rseq-c", "--features", "kernel"]);
    cargo.args(["--crate-type", "staticlib", "--target", target.triple]);
    cargo.arg("--manifest-path").arg(root.join("rseq-core/c/Cargo.toml")).arg("--target-dir").arg(&directory);
    way.apply(&mut cargo, "core");
    cargo.env_remove("RUSTFLAGS");
    succeed(&mut cargo)?;
    Ok(directory.join(target.triple).join("release"))
}

/// The headers that programs include.
pub fn include(root: &Path) -> PathBuf {
    root.join("rseq-core/c/include")
}

/// Copies a file into the place of another one, which programs may be running with.
fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    let new = to.with_added_extension("new");
    fs::copy(from, &new)?;
    Ok(fs::rename(&new, to)?)
}

fn link(to: &str, from: &Path) -> anyhow::Result<()> {
    let _ = fs::remove_file(from);
    Ok(symlink(to, from)?)
}
