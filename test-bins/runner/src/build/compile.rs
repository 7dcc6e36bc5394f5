//! Building binaries of the workspace, and where each one is.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use serde::Deserialize;

use super::Linking;
use crate::workspace::{self, TEST_BINS, Target};

/// Names of binaries and where they are.
pub type Binaries = BTreeMap<String, PathBuf>;

/// Builds all static binaries with `cargo build --profile suite`; cargo's own output goes to stderr.
pub fn build(root: &Path, linking: Linking) -> Result<Binaries, String> {
    build_linked(root, TEST_BINS, "suite", linking)
}

/// Builds the binaries of a package of the workspace in a profile; cargo's own output goes to stderr.
pub fn build_package(root: &Path, package: &str, profile: &str) -> Result<Binaries, String> {
    build_linked(root, package, profile, Linking::Fixed)
}

fn build_linked(root: &Path, package: &str, profile: &str, linking: Linking) -> Result<Binaries, String> {
    let mut child = start(root, package, profile, linking)?;
    let stdout = child.stdout.take().ok_or("cargo's output is closed")?;
    let binaries = executables(stdout);
    let status = child.wait().map_err(|error| format!("cargo build: {error}"))?;
    if !status.success() {
        return Err(format!("cargo build -p {package} failed ({status}); its messages are above"));
    }
    Ok(binaries)
}

fn start(root: &Path, package: &str, profile: &str, linking: Linking) -> Result<Child, String> {
    let mut command = workspace::cargo();
    command.args(["build", "--profile", profile, "--bins", "--message-format=json-render-diagnostics", "-p", package]);
    let (variable, arguments) = linking.variable(false);
    command.arg("--target-dir").arg(linking.target_dir(root)?).env(variable, arguments);
    command.current_dir(root).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().map_err(|error| workspace::missing_cargo(&error))
}

/// The part of cargo's messages that is used here.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

fn executables(stdout: ChildStdout) -> Binaries {
    let lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let messages = lines.filter_map(|line| serde_json::from_str::<Message>(&line).ok());
    messages.filter_map(|message| Some((message.target?.name, message.executable?))).collect()
}
