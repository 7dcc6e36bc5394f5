//! Packages as a user has them, in directories of their own, built in one target directory.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// This repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the package is in the workspace").to_owned()
}

/// Whether cargo had to ask the registry, for what no lock file names, and could not reach it; if so, says so.
pub fn lacks_registry(output: &Output) -> bool {
    let errors = String::from_utf8_lossy(&output.stderr);
    let lacks = errors.contains("download of ") || errors.contains("failed to download");
    if lacks {
        crate::skipped("cargo cannot reach the registry");
    }
    lacks
}

/// The right to build: all packages' programs come out in one place, where they are run from.
#[derive(Debug)]
pub struct Builds {
    _lock: MutexGuard<'static, ()>,
}

impl Builds {
    /// Waits for other tests.
    pub fn begin() -> Self {
        static LOCK: Mutex<()> = Mutex::new(());
        Self { _lock: LOCK.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Where programs come out.
    pub fn target(&self) -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("hello")
    }

    /// A command that builds there, and whose tools speak English.
    pub fn command(&self, program: impl AsRef<OsStr>, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(directory).env("CARGO_TARGET_DIR", self.target()).env_remove("RUSTFLAGS");
        command.env("LC_ALL", "C");
        command
    }

    /// Runs cargo.
    pub fn cargo(&self, directory: &Path, arguments: &[&str]) -> Output {
        self.command(env!("CARGO"), directory).args(arguments).output().expect("cargo starts")
    }
}
