//! A kernel's source tree, from the distribution's source package.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use fs_err as fs;

use super::apt::Apt;
use super::cache::names;
use super::recipe::Recipe;
use super::unpack;

/// Where it came from; kept beside the tree, so that an interrupted build goes on.
const ORIGIN: &str = "origin";

/// A source tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its directory.
    pub tree: PathBuf,
    /// The package, with its version.
    pub package: String,
    /// The suite that it came from.
    pub suite: String,
}

impl Source {
    /// The tree that an earlier, interrupted build has left in `directory`.
    fn left(recipe: &Recipe, directory: &Path) -> Option<Self> {
        let text = fs::read_to_string(directory.join(ORIGIN)).ok()?;
        let (package, suite) = text.trim_end().split_once(' ')?;
        let tree = directory.join(recipe.package);
        tree.join("Makefile").is_file().then(|| Self { tree, package: package.into(), suite: suite.into() })
    }

    /// The recipe's tree in `directory`, which is fetched unless it is there.
    pub fn get(recipe: &Recipe, directory: &Path, mirror: &str) -> anyhow::Result<Self> {
        if let Some(source) = Self::left(recipe, directory) {
            note!("going on with {} in {}", source.package, directory.display());
            return Ok(source);
        }
        let mut problems = Vec::new();
        for suite in recipe.suites {
            match download(recipe, directory, mirror, suite) {
                Ok(package) => return unpacked(recipe, directory, &package, suite),
                Err(problem) => problems.push(format!("{problem:#}")),
            }
        }
        bail!("no {}: {}", recipe.package, problems.join("; "))
    }
}

/// Gets the package of one suite; returns its file.
fn download(recipe: &Recipe, directory: &Path, mirror: &str, suite: &str) -> anyhow::Result<PathBuf> {
    let state = directory.join(format!("apt-{suite}"));
    let got = Apt::new(state.clone(), "amd64", suite, mirror).and_then(|apt| {
        apt.update()?;
        note!("fetching {} from {suite}", recipe.package);
        apt.download(&[recipe.package], directory)
    });
    // Lists are large and soon out of date.
    let _ = fs::remove_dir_all(state);
    got?;
    let start = format!("{}_", recipe.package);
    let file = names(directory).into_iter().find(|name| name.starts_with(&start) && name.ends_with(".deb"));
    file.map(|name| directory.join(name)).with_context(|| format!("apt left no {}", recipe.package))
}

/// Unpacks the archive in the package; the package and the archive go, as the tree stays.
fn unpacked(recipe: &Recipe, directory: &Path, package: &Path, suite: &str) -> anyhow::Result<Source> {
    note!("unpacking {}", package.display());
    let scratch = directory.join("x");
    fs::create_dir_all(&scratch)?;
    let archive = format!("./usr/src/{}.tar.*", recipe.package);
    unpack::extract(package, &scratch, &[&archive])?;
    let sources = scratch.join("usr/src");
    let archive = names(&sources).pop().with_context(|| format!("{} holds no {archive}", package.display()))?;
    tar(&sources.join(archive), directory)?;
    let _ = fs::remove_dir_all(scratch);
    let _ = fs::remove_file(package);
    let name = package.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let origin = directory.join(ORIGIN);
    fs::write(&origin, format!("{name} {suite}\n"))?;
    Source::left(recipe, directory).with_context(|| format!("{name} holds no source tree"))
}

fn tar(archive: &Path, into: &Path) -> anyhow::Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["-x", "--no-same-owner", "-C"]).arg(into).arg("-f").arg(archive).stdin(Stdio::null());
    let status = tar.status().context("tar")?;
    ensure!(status.success(), "tar cannot unpack {} ({status})", archive.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::recipe::RECIPES;
    use crate::scratch::Scratch;

    #[test]
    fn only_a_whole_tree_is_gone_on_with() {
        let directory = Scratch::new().unwrap();
        let tree = directory.join(RECIPES[0].package);
        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join("Makefile"), "").unwrap();
        assert_eq!(Source::left(&RECIPES[0], &directory), None);
        fs::write(directory.join(ORIGIN), "linux-source-7.2_7.2.13-1_all sid\n").unwrap();
        let left = Source::left(&RECIPES[0], &directory).unwrap();
        assert_eq!((left.package.as_str(), left.suite.as_str()), ("linux-source-7.2_7.2.13-1_all", "sid"));
        fs::remove_file(tree.join("Makefile")).unwrap();
        assert_eq!(Source::left(&RECIPES[0], &directory), None);
    }
}
