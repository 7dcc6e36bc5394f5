//! Where kernels are kept, and what is known about each.
//!
//! `$XDG_CACHE_HOME/rseq` (else `~/.cache/rseq`): `kernels/MACHINE/X.Y/` holds `kernel`, `config`, `mods/`, the board's
//! device tree where it needs one, and `manifest.json`, which is written last, so that a directory with one is
//! complete.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const MANIFEST: &str = "manifest.json";
/// The name of the kernel's file in its directory.
pub const KERNEL: &str = "kernel";

/// What a directory holds and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// As `uname -r` says.
    pub release: String,
    /// The packages, with their versions.
    pub packages: Vec<String>,
    /// The suite that they came from.
    pub suite: String,
    /// The files' SHA-256, by path.
    pub files: BTreeMap<String, String>,
}

/// The cache's directory.
pub fn directory() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set: there is no place to keep kernels in")?.join("rseq"))
}

/// One kernel's place in the cache.
#[derive(Debug, Clone)]
pub struct Slot(PathBuf);

impl Slot {
    /// The place of kernel `line` of a machine.
    pub fn new(cache: &Path, machine: &str, line: &str) -> Self {
        Self(cache.join("kernels").join(machine).join(line))
    }

    /// A directory elsewhere that looks like one of the cache.
    pub fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// What is there; `None` where nothing, or nothing whole, is.
    pub fn manifest(&self) -> Option<Manifest> {
        serde_json::from_slice(&fs::read(self.0.join(MANIFEST)).ok()?).ok()
    }

    /// Reads the files, and fails where one is not what the manifest says.
    pub fn verify(&self, manifest: &Manifest) -> anyhow::Result<()> {
        for (name, expected) in &manifest.files {
            let path = self.0.join(name);
            ensure!(digest(&path)? == *expected, "{} is damaged (SHA-256 differs)", path.display());
        }
        Ok(())
    }

    /// The kernel image.
    pub fn kernel(&self) -> PathBuf {
        self.0.join(KERNEL)
    }

    /// One of the directory's files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A module's file, if the kernel has it as a module.
    pub fn module(&self, name: &str) -> Option<PathBuf> {
        Some(self.0.join("mods").join(format!("{name}.ko"))).filter(|path| path.is_file())
    }

    /// Moves the finished directory `from` here, with a manifest of its files.
    pub fn fill(&self, from: &Path, release: &str, packages: Vec<String>, suite: &str) -> anyhow::Result<()> {
        let files = digests(from)?;
        let manifest = Manifest { release: release.into(), packages, suite: suite.into(), files };
        fs::write(from.join(MANIFEST), serde_json::to_vec_pretty(&manifest)?)?;
        if let Some(parent) = self.0.parent() {
            fs::create_dir_all(parent)?;
        }
        if self.0.exists() {
            fs::remove_dir_all(&self.0)?;
        }
        Ok(fs::rename(from, &self.0)?)
    }
}

fn digests(directory: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for below in ["", "mods"] {
        for name in names(&directory.join(below)) {
            let path = Path::new(below).join(name);
            if directory.join(&path).is_file() {
                files.insert(path.to_string_lossy().into_owned(), digest(&directory.join(&path))?);
            }
        }
    }
    Ok(files)
}

/// The names in a directory, sorted; none where it cannot be read.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A file's SHA-256.
pub fn digest(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path)?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn scratch() -> Scratch {
        let directory = Scratch::new().unwrap();
        fs::create_dir_all(directory.join("new/mods")).unwrap();
        fs::write(directory.join("new").join(KERNEL), "image").unwrap();
        fs::write(directory.join("new/mods/kvm.ko"), "module").unwrap();
        directory
    }

    #[test]
    fn what_is_filled_is_found_and_verified() {
        let directory = scratch();
        let slot = Slot::new(&directory, "x86_64", "6.1");
        assert_eq!(slot.manifest(), None);
        slot.fill(&directory.join("new"), "6.1.0", vec!["a".into()], "bookworm").unwrap();
        let manifest = slot.manifest().unwrap();
        assert_eq!(manifest.files.keys().collect::<Vec<_>>(), ["kernel", "mods/kvm.ko"]);
        slot.verify(&manifest).unwrap();
        assert!(slot.module("kvm").is_some() && slot.module("irqbypass").is_none());
    }

    #[test]
    fn a_changed_file_is_noticed() {
        let directory = scratch();
        let slot = Slot::new(&directory, "x86_64", "6.1");
        slot.fill(&directory.join("new"), "6.1.0", vec![], "bookworm").unwrap();
        fs::write(slot.kernel(), "imagf").unwrap();
        assert!(slot.verify(&slot.manifest().unwrap()).unwrap_err().to_string().contains("is damaged"));
    }
}
