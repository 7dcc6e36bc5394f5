//! The program that measures.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::BenchArgs;
use super::measured::Case;
use crate::build;

/// The package and its binary.
const NAME: &str = "bench";

/// What it prints, a line of JSON each.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// What is measured now, for people.
    Begins(String),
    /// What came of it.
    Case(Case),
}

/// Builds it with cargo's own optimized profile, which is what users of the types have.
pub fn build(root: &Path) -> Result<PathBuf, String> {
    let binaries = build::build_package(root, NAME, "release")?;
    binaries.get(NAME).cloned().ok_or_else(|| format!("the package {NAME} has no binary of this name"))
}

/// Runs it on a machine with so many CPUs and hands on each case as it comes; says on stderr what it is doing.
pub fn run(
    program: &Path,
    args: &BenchArgs,
    cpus: u32,
    mut each: impl FnMut(Case) -> Result<(), String>,
) -> Result<(), String> {
    let failed = |error| format!("cannot run {}: {error}", program.display());
    let threads: Vec<_> = args.threads(cpus).iter().map(u32::to_string).collect();
    let mut command = Command::new(program);
    command.args(["--threads", &threads.join(",")]);
    command.args(["--rounds", &args.rounds.to_string(), "--milliseconds", &args.milliseconds.to_string()]);
    command.arg("--").args(&args.names).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let stdout = child.stdout.take().ok_or("the output of bench is closed")?;
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(failed)?;
        match serde_json::from_str(&line).map_err(|error| format!("bench printed {line:?}: {error}"))? {
            Line::Begins(what) => eprintln!("{what}"),
            Line::Case(case) => each(case)?,
        }
    }
    match child.wait().map_err(failed)? {
        status if status.success() => Ok(()),
        status => Err(format!("bench failed ({status}); its message is above")),
    }
}
