//! From Debian packages to the few files that are kept.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use fs_err as fs;

use super::cache::{KERNEL, names};
use super::zboot;

/// Where packages of all ages keep kernels and their configuration.
const KERNELS: &[&str] = &["./boot/vmlinu*", "./boot/config-*", "*/lib/modules/*/vmlinuz", "*/lib/modules/*/config"];

/// Extracts the kernel, its configuration and a device tree, if one is named, from a package into `into`.
pub fn kernel(package: &Path, into: &Path, device_tree: &str) -> anyhow::Result<()> {
    let tree = format!("*/{device_tree}");
    let trees = (!device_tree.is_empty()).then_some(tree.as_str());
    let extracted = Extracted::new(package, into, &KERNELS.iter().copied().chain(trees).collect::<Vec<_>>())?;
    let files = files_below(&extracted.0);
    let named = |start: &str| files.iter().find(|path| file_name(path).starts_with(start));
    let image = named("vmlinu").with_context(|| format!("{} holds no kernel", package.display()))?;
    keep(image, &into.join(KERNEL))?;
    if let Some(configuration) = named("config") {
        fs::copy(configuration, into.join("config"))?;
    }
    if trees.is_some() {
        let tree = named(device_tree).with_context(|| format!("{} holds no {device_tree}", package.display()))?;
        fs::copy(tree, into.join(device_tree))?;
    }
    Ok(())
}

/// Extracts the modules of these names, uncompressed, into `into/mods`. A module may be built in, or not exist.
pub fn modules(package: &Path, into: &Path, wanted: &[&str]) -> anyhow::Result<()> {
    let patterns: Vec<_> = wanted.iter().map(|name| format!("*/{name}.ko*")).collect();
    let extracted = Extracted::new(package, into, &patterns.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mods = into.join("mods");
    fs::create_dir_all(&mods)?;
    for path in files_below(&extracted.0) {
        let (stem, bytes) = uncompressed(&path)?;
        fs::write(mods.join(&stem), bytes)?;
    }
    Ok(())
}

fn keep(image: &Path, to: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(image)?;
    let payload = zboot::payload(&bytes)?;
    Ok(fs::write(to, payload.as_deref().unwrap_or(&bytes))?)
}

/// Extracts what matches one of the patterns. Those that match nothing are no error here: the caller looks for what it
/// needs.
pub fn extract(package: &Path, into: &Path, patterns: &[&str]) -> anyhow::Result<()> {
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.arg("--fsys-tarfile").arg(package).stdout(Stdio::piped());
    let mut dpkg = dpkg.spawn().context("dpkg-deb")?;
    let archive = dpkg.stdout.take().context("dpkg-deb's output is closed")?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "--no-same-owner", "--wildcards", "-C"]).arg(into).args(patterns);
    tar.stdin(archive).stderr(Stdio::null()).status().context("tar")?;
    let status = dpkg.wait().context("dpkg-deb")?;
    ensure!(status.success(), "dpkg-deb cannot read {} ({status})", package.display());
    Ok(())
}

/// A module's name without the compression's, and its content.
fn uncompressed(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let name = file_name(path);
    let (stem, tool) = match name.rsplit_once('.') {
        Some((stem, "xz")) => (stem, "xz"),
        Some((stem, "zst")) => (stem, "zstd"),
        Some((stem, "gz")) => (stem, "gzip"),
        _ => (name.as_str(), "cat"),
    };
    let flags: &[&str] = if tool == "cat" { &[] } else { &["-dcq"] };
    let output = Command::new(tool).args(flags).arg(path).output();
    let output = output.with_context(|| format!("{tool} is needed to unpack {name}"))?;
    ensure!(output.status.success(), "{tool} cannot unpack {name}");
    Ok((stem.to_owned(), output.stdout))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let paths = names(directory).into_iter().map(|name| directory.join(name));
    paths.flat_map(|path| if path.is_dir() && !path.is_symlink() { files_below(&path) } else { vec![path] }).collect()
}

/// The directory `x` with files of a package, removed with its value.
struct Extracted(PathBuf);

impl Extracted {
    fn new(package: &Path, into: &Path, patterns: &[&str]) -> anyhow::Result<Self> {
        let extracted = Self(into.join("x"));
        fs::create_dir_all(&extracted.0)?;
        extract(package, &extracted.0, patterns).map(|()| extracted)
    }
}

impl Drop for Extracted {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
