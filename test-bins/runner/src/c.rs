//! The C library: its generated headers, its installation, and the suites of other projects on it.

mod bench;
mod compile;
mod guests;
mod install;
mod kvm;
mod library;
mod programs;
mod source;
mod suites;

pub use bench::bench;
pub use install::{InstallArgs, install};
pub use suites::{SuitesArgs, suites};

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::{process, workspace};

/// Writes the generated C headers anew.
pub fn headers() -> ExitCode {
    finish(workspace::root().and_then(|root| {
        let mut cargo = library::cargo(&root, "run")?;
        cargo.args(["--package", "rseq-c-headers", "--quiet", "--"]).arg(root.join("rseq-core/c/include"));
        succeed(&mut cargo)
    }))
}

/// The exit code, and what went wrong.
fn finish(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// Runs a command to its end; its output goes where ours does.
fn succeed(command: &mut Command) -> Result<(), String> {
    process::succeed(command).map_err(|failure| failure.to_string())
}

/// What a file operation could not do.
fn at<T>(path: &Path, result: std::io::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{}: {error}", path.display()))
}
