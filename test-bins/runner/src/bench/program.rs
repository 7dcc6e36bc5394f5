//! The program that measures.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

use super::args::BenchArgs;
use super::measured::Case;
use crate::{build, process};

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
pub fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let binaries = build::build_package(root, NAME, "release")?;
    binaries.get(NAME).cloned().with_context(|| format!("the package {NAME} has no binary of this name"))
}

/// Runs it on a machine with so many CPUs and hands on each case as it comes; says on stderr what it is doing.
pub fn run(
    program: &Path,
    args: &BenchArgs,
    cpus: u32,
    mut each: impl FnMut(Case) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let threads: Vec<_> = args.threads(cpus).iter().map(u32::to_string).collect();
    let mut command = Command::new(program);
    command.args(["--threads", &threads.join(",")]);
    command.args(["--rounds", &args.rounds.to_string(), "--milliseconds", &args.milliseconds.to_string()]);
    command.arg("--").args(&args.names);
    let line = |line: &[u8]| match serde_json::from_slice(line) {
        Ok(Line::Begins(what)) => {
            note!("{what}");
            Ok(())
        }
        Ok(Line::Case(case)) => each(case).map_err(io::Error::other),
        Err(error) => Err(io::Error::other(format!("{:?}: {error}", String::from_utf8_lossy(line)))),
    };
    Ok(process::lines(&mut command, line)?)
}
