//! `install --prefix DIR`: the library, its headers and its pkg-config file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fs_err as fs;

use super::library::{self, Flavour};
use crate::{exit, workspace};

/// Where to install.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// Install into DIR/lib and DIR/include
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
}

/// Builds the library and installs it.
pub fn install(args: &InstallArgs) -> ExitCode {
    exit::finish(workspace::root().and_then(|root| install_from(&root, &args.prefix)), 2)
}

fn install_from(root: &Path, prefix: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(prefix)?;
    let prefix = fs::canonicalize(prefix)?;
    library::build(root, Flavour::Librseq, &prefix.join("lib"))?;
    copy(&library::include(root).join("rseq"), &prefix.join("include/rseq"))?;
    let pkgconfig = prefix.join("lib/pkgconfig");
    fs::create_dir_all(&pkgconfig)?;
    fs::write(pkgconfig.join("librseq.pc"), pc())?;
    let (pkgconfig, lib) = (pkgconfig.display(), prefix.join("lib"));
    println!("installed: export PKG_CONFIG_PATH={pkgconfig} LD_LIBRARY_PATH={}", lib.display());
    Ok(())
}

/// Copies a folder of files and folders.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// The pkg-config file, with librseq's name. Its prefix is where the file is, so that an installation can be moved, as
/// packages are from a staging directory.
fn pc() -> String {
    format!(
        "prefix=${{pcfiledir}}/../..\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\nName: librseq\n\
         Description: Restartable sequences, by rseq-core\nVersion: {}\nLibs: -L${{libdir}} -lrseq\n\
         Cflags: -I${{includedir}}\n",
        env!("CARGO_PKG_VERSION")
    )
}
