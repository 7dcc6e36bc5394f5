//! Where the kernel's selftests are: in a tree, or in the archive of Debian's package linux-source.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use fs_err as fs;

use crate::process::succeed;

/// What the suites need of a tree.
const PARTS: [&str; 7] = [
    "*/tools/testing/selftests",
    "*/tools/include",
    "*/tools/arch",
    "*/tools/lib",
    "*/include/uapi/linux/membarrier.h",
    "*/arch/*/include/uapi/asm/kvm.h",
    "*/arch/arm64/tools",
];

/// The tree at `place`, or unpacked from it into `scratch`. Without a place, the newest archive in `/usr/src`.
pub fn tree(place: Option<&Path>, scratch: &Path) -> anyhow::Result<PathBuf> {
    let place = match place {
        Some(place) => place.to_owned(),
        None => newest_archive()
            .context("no /usr/src/linux-source-*.tar.xz: install Debian's linux-source, or name a tree")?,
    };
    if place.is_dir() {
        let is_tree = place.join("tools/testing/selftests/rseq").is_dir();
        ensure!(is_tree, "{}: no tools/testing/selftests/rseq", place.display());
        return Ok(place);
    }
    fs::create_dir_all(scratch)?;
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(&place).arg("-C").arg(scratch).args(["--strip-components=1", "--wildcards"]).args(PARTS);
    succeed(&mut tar)?;
    Ok(scratch.to_owned())
}

fn newest_archive() -> Option<PathBuf> {
    let names = fs::read_dir("/usr/src").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    names
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with("linux-source-") && name.ends_with(".tar.xz")
        })
        .max()
}
