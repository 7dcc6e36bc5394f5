//! Files of a user in a guest.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use fs_err as fs;
use protocol::list::{LIST, MODULES};

use super::cpio::{Archive, in_archive};

/// Bytes of a file at most: all files of a guest are in its memory. The archive itself would take four times as many.
const LARGEST: u64 = 1 << 30;

/// The size of what has an end, and can be read without waiting for a writer.
pub fn regular(path: &Path) -> anyhow::Result<u64> {
    let metadata = fs::metadata(path)?;
    ensure!(metadata.is_file(), "{} is no regular file", path.display());
    Ok(metadata.len())
}

/// Reads a file that is to go into a guest.
pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let size = regular(path)?;
    ensure!(size <= LARGEST, "{} has {size} bytes: a guest takes files of {LARGEST} at most", path.display());
    Ok(fs::read(path)?)
}

/// Adds what is in a directory: files, directories and symbolic links.
pub fn add(archive: &mut Archive, directory: &Path) -> anyhow::Result<()> {
    add_below(archive, directory, "")
}

fn add_below(archive: &mut Archive, directory: &Path, prefix: &str) -> anyhow::Result<()> {
    let mut entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_str().with_context(|| format!("{}: a name that is no UTF-8", path.display()))?;
        let (name, kind) = (format!("{prefix}{name}"), entry.file_type()?);
        ensure!(!is_own(&name), "{} would replace /{name} of the guest", path.display());
        if kind.is_dir() {
            archive.directory(&name);
            add_below(archive, &path, &format!("{name}/"))?;
        } else if kind.is_symlink() {
            archive.link(&name, fs::read_link(&path)?.as_os_str().as_bytes());
        } else if !kind.is_file() {
            bail!("{} is no file, directory or symbolic link", path.display());
        } else if entry.metadata()?.permissions().mode() & 0o111 != 0 {
            archive.program(&name, &read(&path)?);
        } else {
            archive.file(&name, &read(&path)?);
        }
    }
    Ok(())
}

/// Whether a guest has a file of its own there.
fn is_own(name: &str) -> bool {
    name == "init" || [LIST, MODULES].into_iter().any(|path| name == in_archive(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn programs_directories_and_links_keep_what_they_are() {
        let scratch = Scratch::new().unwrap();
        let (root, out) = (scratch.join("root"), scratch.join("out"));
        fs::create_dir_all(root.join("etc/empty")).unwrap();
        fs::create_dir_all(&out).unwrap();
        fs::write(root.join("etc/text"), "words").unwrap();
        fs::write(root.join("run.sh"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(root.join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
        symlink("../run.sh", root.join("etc/link")).unwrap();
        let mut archive = Archive::default();
        add(&mut archive, &root).unwrap();
        fs::write(scratch.join("cpio"), archive.finish()).unwrap();
        let mut cpio = Command::new("cpio");
        cpio.args(["-id", "--quiet"]).current_dir(&out).stdin(std::fs::File::open(scratch.join("cpio")).unwrap());
        let Ok(status) = cpio.stdout(Stdio::null()).status() else {
            return crate::skipped("no cpio program here");
        };
        assert!(status.success());
        let same = Command::new("diff").args(["-r", "--no-dereference"]).arg(&root).arg(&out).status().unwrap();
        let mode = |file: &str| fs::metadata(out.join(file)).unwrap().permissions().mode() & 0o777;
        assert!(same.success() && mode("run.sh") == 0o755 && mode("etc/text") == 0o644);
    }

    #[test]
    fn what_has_no_end_is_not_read() {
        let scratch = Scratch::new().unwrap();
        let fifo = scratch.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [&*fifo, Path::new("/dev/zero"), &scratch] {
            let error = read(path).unwrap_err().to_string();
            assert_eq!(error, format!("{} is no regular file", path.display()));
        }
    }

    #[test]
    fn what_no_guest_takes_is_named() {
        let scratch = Scratch::new().unwrap();
        let large = scratch.join("large");
        fs::File::create(&large).unwrap().set_len(LARGEST + 1).unwrap();
        let error = add(&mut Archive::default(), &scratch.join("")).unwrap_err().to_string();
        assert!(error.contains("/large has 1073741825 bytes"), "{error}");
        fs::remove_file(large).unwrap();
        fs::create_dir_all(scratch.join("bin")).unwrap();
        fs::write(scratch.join("bin/init"), "").unwrap();
        fs::write(scratch.join("init"), "").unwrap();
        let error = add(&mut Archive::default(), &scratch.join("")).unwrap_err().to_string();
        assert!(error.ends_with("/init would replace /init of the guest") && !error.contains("bin"), "{error}");
        fs::remove_file(scratch.join("init")).unwrap();
        let _socket = UnixListener::bind(scratch.join("socket")).unwrap();
        let error = add(&mut Archive::default(), &scratch.join("")).unwrap_err().to_string();
        assert!(error.contains("/socket is no file"), "{error}");
    }
}
