//! Files of a bundle.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::process;

/// Writes a file that can be executed.
pub fn script(path: &Path, text: &str) -> Result<(), String> {
    plain(path, text)?;
    executable(path)
}

/// Writes a file.
pub fn plain(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Copies a program.
pub fn program(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))?;
    executable(to)
}

fn executable(path: &Path) -> Result<(), String> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes the archive of a directory beside it: the same bytes for the same content.
pub fn archive(directory: &Path) -> Result<(), String> {
    let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else {
        return Err(format!("{} has no name", directory.display()));
    };
    let name = name.to_string_lossy().into_owned();
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-czf"]);
    tar.arg(format!("{name}.tar.gz")).arg(&name).current_dir(parent);
    process::succeed(&mut tar).map_err(|failure| failure.to_string())
}
