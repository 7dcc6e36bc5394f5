//! Building for another architecture: rustup's target where it is installed, else a toolchain with core's source.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::Context;
use thiserror::Error;

use super::Linking;
use super::compile::{self, Binaries, Purpose};
use crate::kernels::machine::Target;
use crate::process;
use crate::workspace;

/// What Debian's packages install as the system's compiler.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";
/// The architecture of this program, whose binaries need no cross-building.
const HOST: &str = std::env::consts::ARCH;

/// How binaries of one target are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// As for this machine.
    Native,
    /// With the target's ready-made core.
    Installed,
    /// With this compiler, and core built from its source.
    FromSource(PathBuf),
}

impl Way {
    /// Tells cargo, whose subcommand is named already; `crates` are those of the standard library that are wanted.
    pub fn apply(&self, command: &mut Command, crates: &str) {
        if let Self::FromSource(rustc) = self {
            // rustup's cargo asks rustup's rustc for nothing once RUSTC names another one.
            command.arg(format!("-Zbuild-std={crates}")).env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
        }
    }
}

/// There is no way to build for the target of this triple.
#[derive(Debug, PartialEq, Eq, Error)]
#[error(
    "no compiler here builds for {0}: run `rustup target add {0}` (not for MIPS, whose inline assembly is unstable), \
     or `rustup component add rust-src`, or on Debian install rustc-web and rust-web-src"
)]
pub struct NoCompiler(&'static str);

/// How to build for `target` here.
pub fn find(target: &Target) -> Result<Way, NoCompiler> {
    if target.triple == format!("{HOST}-unknown-linux-gnu") {
        return Ok(Way::Native);
    }
    let current = toolchains().iter().find(|(rustc, _)| *rustc == self::rustc());
    let stable = !target.triple.starts_with("mips");
    if stable && current.is_some_and(|(_, root)| has_target(root, target)) {
        return Ok(Way::Installed);
    }
    let with_source = toolchains().iter().find(|(_, root)| has_source(root));
    with_source.map(|(rustc, _)| Way::FromSource(rustc.clone())).ok_or(NoCompiler(target.triple))
}

/// Builds the static binaries for `target`; cargo's own output goes to stderr.
pub fn build(target: &Target, root: &Path, bins: &[&str], linking: Linking) -> anyhow::Result<Binaries> {
    let way = find(target)?;
    if way == Way::Native {
        return compile::build(root, Purpose::Elsewhere, linking);
    }
    let directory = linking.target_dir(root)?.join("boot");
    let mut command = command(target, &way, root, &directory, bins, linking)?;
    let built = process::output(&mut command);
    built.map_err(|failure| workspace::explain(failure, &format!("building for {}", target.triple)))?;
    let built = directory.join(target.triple).join(Purpose::Elsewhere.profile());
    Ok(bins.iter().map(|&name| (name.to_owned(), built.join(name))).collect::<BTreeMap<_, _>>())
}

fn command(
    target: &Target,
    way: &Way,
    root: &Path,
    directory: &Path,
    bins: &[&str],
    linking: Linking,
) -> anyhow::Result<Command> {
    let mut command = workspace::patient_cargo();
    command.args(["build", "--profile", Purpose::Elsewhere.profile(), "-p", workspace::TEST_BINS]);
    command.args(["--target", target.triple]);
    command.args(bins.iter().flat_map(|name| ["--bin", name])).arg("--target-dir").arg(directory);
    way.apply(&mut command, "core,alloc");
    // With `--target`, these flags leave build scripts alone.
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(&linker()?, linking)).env_remove("RUSTFLAGS");
    let (variable, arguments) = linking.variable(true);
    command.env(variable, arguments);
    command.current_dir(root);
    Ok(command)
}

/// One linker for all targets, without any C compiler; the flags are parted as cargo wants them, as a path may hold
/// spaces.
fn flags(linker: &Path, linking: Linking) -> OsString {
    let mut flags = OsString::from("-C\x1flinker=");
    flags.push(linker);
    for flag in ["linker-flavor=ld.lld", linking.relocation_model(), "target-feature=+crt-static"] {
        flags.push("\x1f-C\x1f");
        flags.push(flag);
    }
    flags
}

/// The linker for all targets.
pub fn linker() -> anyhow::Result<PathBuf> {
    let rusts =
        toolchains().iter().map(|(_, root)| root.join(format!("lib/rustlib/{HOST}-unknown-linux-gnu/bin/rust-lld")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let systems = std::env::split_paths(&path).map(|directory| directory.join("ld.lld")).collect::<Vec<_>>();
    let found = rusts.chain(systems).find(|linker| linker.is_file());
    found.context("no rust-lld in the toolchain and no ld.lld in PATH: install lld")
}

fn rustc() -> PathBuf {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()).into()
}

/// The compilers that are here, and their directories; asked once, as each asking starts them.
fn toolchains() -> &'static [(PathBuf, PathBuf)] {
    static FOUND: OnceLock<Vec<(PathBuf, PathBuf)>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let compilers = [rustc(), PathBuf::from(SYSTEM_RUSTC)].into_iter();
        compilers.filter_map(|rustc| Some((sysroot(&rustc)?, rustc))).map(|(root, rustc)| (rustc, root)).collect()
    })
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    let output = process::output(Command::new(rustc).args(["--print", "sysroot"]).stderr(Stdio::null())).ok()?;
    let text = String::from_utf8(output).ok()?;
    Some(PathBuf::from(text.trim()))
}

fn has_target(sysroot: &Path, target: &Target) -> bool {
    let libraries = sysroot.join("lib/rustlib").join(target.triple).join("lib");
    crate::kernels::cache::names(&libraries).iter().any(|name| name.starts_with("libcore-"))
}

fn has_source(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_own_binaries_are_built_as_usual() {
        let own = crate::kernels::catalog::find(HOST);
        if let Some(machine) = own {
            assert_eq!(find(&machine.targets[0]), Ok(Way::Native));
        }
    }

    #[test]
    fn an_unknown_target_is_never_installed() {
        let target = Target::new("none", "none-unknown-none");
        assert_ne!(find(&target), Ok(Way::Installed));
    }
}
