//! Where the workspace and cargo are, and what cargo builds there.

#[cfg(test)]
use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, anyhow};
use serde::Deserialize;

use crate::process::{self, Failure};

/// The package that holds the static binaries.
pub const TEST_BINS: &str = "test-bins";

/// The cargo that started this program, else the one in `PATH`.
pub fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Cargo, after everything else that wants a CPU: guests run beside these builds, and have deadlines.
pub fn patient_cargo() -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "15"]).arg(cargo().get_program());
    command
}

/// The workspace's directory: around `CARGO_MANIFEST_DIR` (set by `cargo run`), else around the
/// current directory.
pub fn root() -> anyhow::Result<PathBuf> {
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let places = manifest_dir.into_iter().chain(env::current_dir().ok());
    places
        .flat_map(|place| place.ancestors().map(Path::to_owned).collect::<Vec<_>>())
        .find(|place| is_root(place))
        .context(
            "the sources are not here: run this inside the repository; a run without a subcommand also takes built \
             binaries, by --bin-dir",
        )
}

fn is_root(directory: &Path) -> bool {
    directory.join("Cargo.toml").is_file() && directory.join("test-bins/tests/Cargo.toml").is_file()
}

/// The directory in which cargo leaves everything.
pub fn target_dir(root: &Path) -> anyhow::Result<PathBuf> {
    Ok(metadata(&root.join("Cargo.toml"))?.target_directory)
}

/// The names of the binaries that [`TEST_BINS`] builds, by its manifest.
#[cfg(test)]
pub fn binaries(manifest: &Path) -> anyhow::Result<BTreeSet<String>> {
    let packages = metadata(manifest)?.packages;
    let package = packages.into_iter().find(|package| package.name == TEST_BINS);
    let targets = package.context("no such package")?.targets.into_iter();
    let is_bin = |target: &Target| target.kind.iter().any(|kind| kind == "bin");
    Ok(targets.filter(is_bin).map(|target| target.name).collect())
}

/// The part of `cargo metadata` that is used here.
#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
    #[cfg(test)]
    packages: Vec<Package>,
}

#[cfg(test)]
#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

/// One build product of a package.
#[derive(Deserialize)]
pub struct Target {
    /// What it is: `bin`, `lib`, `test` and so on.
    #[cfg(test)]
    pub kind: Vec<String>,
    /// Its name.
    pub name: String,
}

fn metadata(manifest: &Path) -> anyhow::Result<Metadata> {
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"]).arg(manifest);
    let output = process::output(&mut command).map_err(|failure| explain(failure, "cargo metadata"))?;
    serde_json::from_slice(&output).context("cargo metadata")
}

/// What to say of a cargo that did not do its work.
pub fn explain(failure: Failure, what: &str) -> anyhow::Error {
    match failure {
        Failure::Start(_, error) => anyhow!(
            "cannot start cargo ({error}): install Rust from https://rustup.rs; a run without a \
             subcommand also takes built binaries, by --bin-dir"
        ),
        Failure::Output(_, error) => anyhow::Error::new(error).context(what.to_owned()),
        Failure::Ended(_, status) => anyhow!("{what} failed ({status}); its messages are above"),
    }
}
