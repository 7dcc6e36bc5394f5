//! Temporary directories.

use std::env;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::unistd::mkdtemp;

/// A directory that only this user can enter, removed with its value. Its name cannot be foreseen and it did not exist
/// before, so that other users cannot have put files or links there.
///
/// The crate `tempfile` would enable rustix's feature `std`, in the static programs too where cargo builds all of the
/// workspace at once.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one in the system's directory for temporary files.
    pub fn new() -> anyhow::Result<Self> {
        let template = env::temp_dir().join("rseq-runner-XXXXXX");
        mkdtemp(&template).map(Self).with_context(|| format!("cannot make {}", template.display()))
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn each_is_new_and_private_and_goes_away() {
        let (one, other) = (Scratch::new().unwrap(), Scratch::new().unwrap());
        assert_ne!(one.0, other.0);
        assert_eq!(one.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let path = one.to_owned();
        std::fs::write(path.join("file"), "").unwrap();
        drop(one);
        assert!(!path.exists() && other.exists());
    }
}
