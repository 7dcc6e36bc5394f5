//! QEMU and a Rust toolchain with core's source, through the system's apt.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use fs_err as fs;

use super::cache;
use super::machine::Machine;
use super::mirror::{self, KEYRING};
use crate::build::toolchain;
use crate::tool;

/// The first QEMU whose machines are known to boot all of the table.
const QEMU_MAJOR: u32 = 9;
/// Debian's newer Rust, with the source of core.
const RUST: &[&str] = &["rustc-web", "rust-web-src"];
/// What emulated machines need beside the emulator.
const FIRMWARE: &[&str] = &["opensbi", "seabios"];

/// Fails where Debian's packages cannot be read, and says what to do.
pub fn check_apt() -> anyhow::Result<()> {
    let missing: Vec<_> =
        ["apt-get", "apt-cache", "dpkg-deb", "tar"].into_iter().filter(|tool| !is_program(tool)).collect();
    ensure!(
        missing.is_empty(),
        "kernels come from Debian's packages, and {} is not here: boot kernels of your own with \
         --arch ARCH --kernel-image PATH",
        missing.join(", ")
    );
    ensure!(Path::new(KEYRING).is_file(), "{KEYRING} is missing: install debian-archive-keyring");
    Ok(())
}

/// Installs what the machines need and is not here; as a normal user, says how.
pub fn run(machines: &[&'static Machine]) -> anyhow::Result<()> {
    let packages = missing(machines);
    if packages.is_empty() {
        return Ok(());
    }
    if !is_program("apt-get") {
        let programs: BTreeSet<_> = machines.iter().map(|machine| machine.qemu).collect();
        bail!(
            "install QEMU {QEMU_MAJOR} or newer ({}), and Rust's targets (rustup target add) or rust-src",
            programs.into_iter().collect::<Vec<_>>().join(", ")
        );
    }
    install(&packages, backports().as_deref())
}

/// Installs packages, from `suite` where it has newer ones; as a normal user, says how.
pub fn install(packages: &BTreeSet<&'static str>, suite: Option<&str>) -> anyhow::Result<()> {
    let list = packages.iter().copied().collect::<Vec<_>>().join(" ");
    if !is_root() {
        let suite = suite.map(|suite| format!("-t {suite} ")).unwrap_or_default();
        bail!("run this first: sudo apt-get install --no-install-recommends {suite}{list}");
    }
    note!("installing {list}");
    apt_install(packages, suite)
}

/// Why a QEMU is of no use, if it is not: `major` is its version.
pub fn refuses(program: &str, major: Option<u32>) -> Option<String> {
    match major {
        None => Some(format!("{program} is not here")),
        Some(major) if major < QEMU_MAJOR => Some(format!("{program} is version {major}, older than {QEMU_MAJOR}")),
        Some(_) => None,
    }
}

fn missing(machines: &[&'static Machine]) -> BTreeSet<&'static str> {
    let lacking = machines.iter().filter(|machine| refuses(machine.qemu, qemu_major(machine.qemu)).is_some());
    let mut packages: BTreeSet<_> = lacking.map(|machine| machine.package).collect();
    if !packages.is_empty() {
        packages.extend(FIRMWARE);
    }
    let mut targets = machines.iter().flat_map(|machine| machine.targets);
    if targets.any(|target| toolchain::find(target).is_err()) {
        packages.extend(RUST);
    }
    packages
}

fn apt_install(packages: &BTreeSet<&'static str>, backports: Option<&str>) -> anyhow::Result<()> {
    let state = cache::directory()?.join("apt").join("install");
    let done = prepare(&state, backports).and_then(|()| {
        apt(&state, &["update"])?;
        let mut words = vec!["install", "-y", "--no-install-recommends"];
        words.extend(backports.iter().flat_map(|suite| ["-t", suite]));
        words.extend(packages);
        apt(&state, &words)
    });
    // What has come of the packages is for the next try.
    let left: &[&str] = if done.is_ok() { &[""] } else { &["lists", "parts"] };
    left.iter().for_each(|below| drop(fs::remove_dir_all(state.join(below))));
    done
}

/// A copy of the system's sources with backports added, and lists and archives of its own, for these installs alone.
fn prepare(state: &Path, backports: Option<&str>) -> anyhow::Result<()> {
    for below in ["parts", "lists/partial", "archives/partial"] {
        fs::create_dir_all(state.join(below))?;
    }
    let system = Path::new("/etc/apt/sources.list.d");
    for name in cache::names(system) {
        fs::copy(system.join(&name), state.join("parts").join(name))?;
    }
    if let Some(suite) = backports {
        let source = format!("deb [signed-by={KEYRING}] {} {suite} main\n", mirror::of_this_system()?);
        fs::write(state.join("parts/rseq-backports.list"), source)?;
    }
    Ok(())
}

fn apt(state: &Path, words: &[&str]) -> anyhow::Result<()> {
    let option = |name: &str, below: &str| format!("{name}={}", state.join(below).display());
    let mut command = Command::new("apt-get");
    for setting in [
        option("Dir::Etc::SourceParts", "parts"),
        option("Dir::State::Lists", "lists"),
        option("Dir::Cache::archives", "archives"),
    ] {
        command.args(["-o", &setting]);
    }
    command.args(["-o", "DPkg::Lock::Timeout=600", "-o", "APT::Sandbox::User=root", "-q"]).args(words);
    // Its progress is seen as it comes, and stdout is ours.
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(io::stderr());
    let status = command.status().context("apt-get")?;
    ensure!(status.success(), "apt-get {} failed ({status}); its messages are above", words[0]);
    Ok(())
}

/// The suite to take QEMU from where the release's own is too old.
fn backports() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let field =
        |name: &str| release.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim_matches('"'));
    (field("ID=")? == "debian" && field("VERSION_ID=")? == "12")
        .then(|| format!("{}-backports", field("VERSION_CODENAME=").unwrap_or("")))
}

/// The major version of a QEMU program; `None` where it does not start.
pub fn qemu_major(program: &str) -> Option<u32> {
    major(&tool::version(program)?)
}

fn major(text: &str) -> Option<u32> {
    tool::number_in(text)?.split('.').next()?.parse().ok()
}

/// Whether a program of this name is in `PATH`.
pub fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemus_version_is_read() {
        assert_eq!(major("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\n"), Some(10));
        assert_eq!(major("something else"), None);
        assert_eq!(qemu_major("no-such-qemu"), None);
    }

    #[test]
    fn an_old_qemu_is_refused() {
        assert_eq!(refuses("qemu", Some(9)), None);
        assert_eq!(refuses("qemu", Some(8)).unwrap(), "qemu is version 8, older than 9");
        assert_eq!(refuses("qemu", None).unwrap(), "qemu is not here");
    }
}
