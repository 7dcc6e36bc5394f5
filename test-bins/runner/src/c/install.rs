//! `install --prefix DIR`: the library, its headers and its pkg-config file.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fs_err as fs;

use super::library::{self, Flavour};
use crate::exit::{self, Stop};
use crate::{shell, workspace};

/// Where to install.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// Install into DIR/lib and DIR/include
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
}

/// Builds the library and installs it.
pub fn install(args: &InstallArgs) -> ExitCode {
    exit::code(install_into(&args.prefix))
}

fn install_into(prefix: &Path) -> Result<u8, Stop> {
    let installed = install_from(&workspace::root()?, prefix)?;
    writeln!(io::stdout(), "{installed}")?;
    Ok(0)
}

/// Returns what a shell needs, to build and run programs with it.
fn install_from(root: &Path, prefix: &Path) -> anyhow::Result<String> {
    fs::create_dir_all(prefix)?;
    let prefix = fs::canonicalize(prefix)?;
    library::build(root, Flavour::Librseq, &prefix.join("lib"))?;
    copy(&library::include(root).join("rseq"), &prefix.join("include/rseq"))?;
    let pkgconfig = prefix.join("lib/pkgconfig");
    fs::create_dir_all(&pkgconfig)?;
    fs::write(pkgconfig.join("librseq.pc"), pc())?;
    let lib = prefix.join("lib");
    let paths = [pkgconfig, lib].map(|path| shell::word(&path));
    Ok(format!("installed: export PKG_CONFIG_PATH={} LD_LIBRARY_PATH={}", paths[0], paths[1]))
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
