//! Building binaries of the workspace, and where each one is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Linking;
use crate::process;
use crate::workspace::{self, TEST_BINS, Target};

/// Names of binaries and where they are.
pub type Binaries = BTreeMap<String, PathBuf>;

/// What a build of the static binaries is for; `Cargo.toml` has a profile for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To run here, soon.
    Here,
    /// To be small, for guests and other machines.
    Elsewhere,
}

impl Purpose {
    /// The profile's name, which its directory has too.
    pub const fn profile(self) -> &'static str {
        match self {
            Self::Here => "native",
            Self::Elsewhere => "suite",
        }
    }
}

/// Builds all static binaries; cargo's own output goes to stderr.
pub fn build(root: &Path, purpose: Purpose, linking: Linking) -> anyhow::Result<Binaries> {
    build_linked(root, TEST_BINS, purpose.profile(), linking)
}

/// Builds the binaries of a package of the workspace in a profile; cargo's own output goes to stderr.
pub fn build_package(root: &Path, package: &str, profile: &str) -> anyhow::Result<Binaries> {
    build_linked(root, package, profile, Linking::Fixed)
}

fn build_linked(root: &Path, package: &str, profile: &str, linking: Linking) -> anyhow::Result<Binaries> {
    let mut command = workspace::cargo();
    command.args(["build", "--profile", profile, "--bins", "--message-format=json-render-diagnostics", "-p", package]);
    let (variable, arguments) = linking.variable(false);
    command.arg("--target-dir").arg(linking.target_dir(root)?).env(variable, arguments).current_dir(root);
    let mut binaries = Binaries::new();
    let each = |line: &[u8]| {
        if let Ok(Message { executable: Some(path), target: Some(target) }) = serde_json::from_slice(line) {
            binaries.insert(target.name, path);
        }
        Ok(())
    };
    let built = process::lines(&mut command, each);
    built.map_err(|failure| workspace::explain(failure, &format!("cargo build -p {package}"))).map(|()| binaries)
}

/// The part of cargo's messages that is used here.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}
