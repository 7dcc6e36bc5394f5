//! The C library: its generated headers, its installation, and the suites of other projects on it.

mod install;
pub mod library;
mod suites;

pub use install::{InstallArgs, install};
pub use suites::{SuitesArgs, suites};

use std::process::ExitCode;

use crate::{exit, process, workspace};

/// Writes the generated C headers anew.
pub fn headers() -> ExitCode {
    let written = workspace::root().and_then(|root| {
        let mut cargo = library::cargo(&root, "run")?;
        cargo.args(["--package", "rseq-c-headers", "--quiet", "--"]).arg(root.join("rseq-core/c/include"));
        Ok(process::succeed(&mut cargo)?)
    });
    exit::finish(written)
}
