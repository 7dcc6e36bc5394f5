//! Files of a bundle.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::bail;
use fs_err as fs;

use crate::process;

/// Writes a file that can be executed.
pub fn script(path: &Path, text: &str) -> anyhow::Result<()> {
    plain(path, text)?;
    executable(path)
}

/// Writes a file.
pub fn plain(path: &Path, text: &str) -> anyhow::Result<()> {
    Ok(fs::write(path, text)?)
}

/// Copies a program.
pub fn program(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to)?;
    executable(to)
}

fn executable(path: &Path) -> anyhow::Result<()> {
    Ok(fs::set_permissions(path, Permissions::from_mode(0o755))?)
}

/// Writes the archive of a directory beside it: the same bytes for the same content.
pub fn archive(directory: &Path) -> anyhow::Result<()> {
    let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else {
        bail!("{} has no name", directory.display());
    };
    let name = name.to_string_lossy().into_owned();
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-czf"]);
    tar.arg(format!("{name}.tar.gz")).arg(&name).current_dir(parent);
    Ok(process::succeed(&mut tar)?)
}
